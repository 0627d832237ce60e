"""Fusion against its formulas."""

from __future__ import annotations

import pytest
import torch

from zoo.core.errors import UserError
from zoo.core.types import Candidates, Request
from zoo.funnel import Fusion


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("weighted_sum", lambda watch, like, share: watch + 2 * like + 0.5 * share),
        ("click_times", lambda watch, like, share: watch * (1 + 2 * like + 0.5 * share)),
    ],
)
def test_fusion_is_its_formula(formula: str, expected: object) -> None:
    p = {
        name: torch.rand(4, 6, generator=torch.Generator().manual_seed(i))
        for i, name in enumerate(("watch", "like", "share"))
    }
    ids = torch.arange(1, 25).view(4, 6).masked_fill(torch.eye(4, 6).bool(), 0)
    candidates = Candidates.of(ids).with_columns(**{f"p:{name}": value for name, value in p.items()})
    found = Fusion(formula, "watch", {"like": 2.0, "share": 0.5})(Request({"x": ids}), candidates)
    for row in range(4):
        scores = {
            int(ids[row, k]): expected(*(float(p[name][row, k]) for name in p))
            for k in range(6)
            if ids[row, k]
        }
        order = sorted(scores, key=scores.get, reverse=True)
        assert found.ids[row].tolist() == [*order, 0]
        assert found.scores[row, :5].tolist() == pytest.approx([scores[item] for item in order])


def test_fusion_without_weights_is_the_base() -> None:
    candidates = Candidates.of(torch.tensor([[1, 2]])).with_columns(**{"p:watch": torch.tensor([[0.1, 0.4]])})
    found = Fusion("click_times", "watch", {})(Request({"x": torch.zeros(1)}), candidates)
    assert found.ids.tolist() == [[2, 1]] and found.scores.tolist() == [
        [pytest.approx(0.4), pytest.approx(0.1)]
    ]


@pytest.mark.parametrize(("base", "weights", "task"), [("wach", {}, "wach"), ("watch", {"lik": 1.0}, "lik")])
def test_fusion_of_an_unknown_task_says_the_nearest(base: str, weights: dict[str, float], task: str) -> None:
    candidates = Candidates.of(torch.ones(1, 1, dtype=torch.int64))
    candidates = candidates.with_columns(**{"p:watch": torch.ones(1, 1), "p:like": torch.ones(1, 1)})
    with pytest.raises(
        UserError, match=rf"no stage predicts task '{task}' \(did you mean '(watch|like)'\?\)"
    ):
        Fusion("weighted_sum", base, weights)(Request({"x": torch.zeros(1)}), candidates)

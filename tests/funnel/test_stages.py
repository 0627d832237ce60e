"""The exposure filter, fusion, and the funnel around them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import padded_ids
from zoo.core.errors import UserError
from zoo.core.types import Candidates, Request
from zoo.funnel import Funnel, Fusion, SeenFilter, Trace

ROW = st.lists(st.integers(0, 6), min_size=5, max_size=5)
ROWS = st.lists(st.tuples(ROW, st.lists(st.integers(1, 6), max_size=4)), min_size=1, max_size=3)


def request(rows: list[tuple[list[int], list[int]]]) -> Request:
    return Request({"seen": padded_ids([seen for _, seen in rows], 4)})


def given_ids(rows: list[tuple[list[int], list[int]]]) -> Candidates:
    ids = torch.tensor([ids for ids, _ in rows])
    return Candidates.of(ids, ids * 0.5, 1).with_columns(same=ids.float())


@settings(max_examples=60, deadline=None)
@given(ROWS, st.none() | st.integers(1, 6))
def test_what_was_seen_is_not_shown(rows: list[tuple[list[int], list[int]]], keep: int | None) -> None:
    found = SeenFilter(keep)(request(rows), given_ids(rows))
    expected = [[item for item in ids if item and item not in seen] for ids, seen in rows]
    width = max(map(len, expected)) if keep is None else min(keep, max(map(len, expected)))
    assert found.ids.equal(padded_ids([row[:width] for row in expected], width))
    assert found.columns["same"].masked_select(found.mask).equal(found.ids[found.mask].float())
    assert found.scores.masked_select(found.mask).equal(found.ids[found.mask] * 0.5)


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
    found = Fusion(formula, "watch", {"like": 2.0, "share": 0.5})(Request({"x": ids}), candidates)  # type: ignore[arg-type]
    for row in range(4):
        scores = {
            int(ids[row, k]): expected(*(float(p[name][row, k]) for name in p))  # type: ignore[operator]
            for k in range(6)
            if ids[row, k]
        }
        order = sorted(scores, key=scores.get, reverse=True)  # type: ignore[arg-type]
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


def cut(keep: int) -> object:
    return lambda request, candidates: candidates.top(keep)


@settings(max_examples=40, deadline=None)
@given(
    ROWS,
    st.lists(
        st.one_of(st.builds(SeenFilter, st.none() | st.integers(1, 5)), st.integers(1, 5).map(cut)),
        max_size=4,
    ),
)
def test_survival_can_only_fall(rows: list[tuple[list[int], list[int]]], stages: list[object]) -> None:
    trace, start = Trace(), given_ids(rows)
    final = Funnel([(f"s{n}", stage) for n, stage in enumerate(stages)])(request(rows), start, trace)  # type: ignore[misc]
    alive = [start, *trace.candidates.values()]
    for before, after in zip(alive, alive[1:], strict=False):
        for one, next_ in zip(before.ids.tolist(), after.ids.tolist(), strict=True):
            assert set(next_) - {0} <= set(one)
    assert final is alive[-1]
    assert list(trace.seconds) == list(trace.candidates) == [f"s{n}" for n in range(len(stages))]
    assert all(seconds >= 0 for seconds in trace.seconds.values())


def test_a_funnel_starts_from_nothing_and_is_itself_a_stage() -> None:
    asked = Request({"seen": torch.tensor([[2], [0]])})

    def source(request: Request, candidates: Candidates) -> Candidates:
        assert candidates.ids.shape == (2, 0) and not torch.is_grad_enabled()
        return Candidates.of(torch.tensor([[1, 2, 3], [2, 1, 4]]))

    inner = Funnel([("source", source), ("exposure", SeenFilter())])
    outer = Funnel([("inner", inner), ("first", lambda request, candidates: candidates.compact(1))])
    assert inner(asked).ids.tolist() == [[1, 3, 0], [2, 1, 4]]
    assert outer(asked).ids.tolist() == [[1], [2]]
    assert inner.upto("source")(asked).ids.tolist() == [[1, 2, 3], [2, 1, 4]]
    assert inner(asked, Candidates.empty(2)).ids.equal(inner(asked).ids)

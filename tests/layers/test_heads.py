"""Heads against numpy, and what cannot be a head."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests import naive
from zoo.core.check import check
from zoo.core.errors import UserError
from zoo.core.yaml import Node
from zoo.layers.heads import PLE, HeadConfig, MMoE, SharedBottom, make_heads

TASKS = ("watch", "like", "share")
DIM = 5
X = torch.randn(2, 3, DIM, generator=torch.Generator().manual_seed(0))


def built(**options: object) -> torch.nn.Module:
    heads = make_heads(HeadConfig(hidden=[6, 4], tower=[3], **options), TASKS, DIM).eval()
    naive.spread(heads)
    return heads


def assert_towers(
    heads: MMoE | PLE | SharedBottom, below: dict[str, np.ndarray], at: tuple[int, int]
) -> None:
    for task, logits in heads(X).items():
        expected = naive.mlp(heads.towers[task], below[task], last_is_linear=True)
        assert logits[at].item() == pytest.approx(float(expected[0]), abs=1e-4)


def test_a_single_head_is_a_linear_layer_for_each_task() -> None:
    heads = built()
    for task, logits in heads(X).items():
        assert logits[1, 2].item() == pytest.approx(
            float(naive.linear(heads[task], X[1, 2].numpy())[0]), abs=1e-5
        )
    assert heads.as_sums()(X)["like"][1, 2].item() == pytest.approx(float(X[1, 2].sum()), abs=1e-5)


def test_shared_bottom_equals_numpy() -> None:
    heads = built(kind="shared_bottom")
    below = naive.mlp(heads.bottom, X[1, 2].numpy())
    assert_towers(heads, dict.fromkeys(TASKS, below), (1, 2))


def test_mmoe_equals_numpy() -> None:
    heads, x = built(kind="mmoe", experts=3), X[1, 2].numpy()
    below = {task: naive.mixture(gate, x, (heads.experts, x)) for task, gate in heads.gates.items()}
    assert_towers(heads, below, (1, 2))


@pytest.mark.parametrize("count", [1, 3])
def test_ple_equals_numpy(count: int) -> None:
    """Inputs of a level: of each task, and the shared one."""
    heads = built(kind="ple", experts=2, task_experts=2, levels=count)
    x = dict.fromkeys([*TASKS, "shared"], X[0, 1].numpy())
    for number, level in enumerate(heads.levels):
        shared = (level.shared, x["shared"])
        own = {task: (level.own[task], x[task]) for task in TASKS}
        below = {t: naive.mixture(level.gates[t], x[t], own[t], shared) for t in TASKS}
        assert (level.shared_gate is None) == (number == count - 1)
        if level.shared_gate is not None:
            below["shared"] = naive.mixture(level.shared_gate, x["shared"], *own.values(), shared)
        x = below
    assert_towers(heads, x, (0, 1))
    assert heads.gates is heads.levels[-1].gates


def test_one_task_may_have_experts_but_shares_with_nobody() -> None:
    assert list(make_heads(HeadConfig("mmoe"), ["click"], DIM)(X)) == ["click"]
    for kind in ("shared_bottom", "ple"):
        with pytest.raises(
            UserError, match=r"head.kind: \w+ divides .*'click' is the only task; expected single"
        ):
            make_heads(HeadConfig(kind), ["click"], DIM)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "mmoe", "experts": 1}, "experts: of mmoe must be at least 2, found 1"),
        ({"kind": "ple", "hidden": []}, "hidden: of ple needs at least one width"),
        ({"gate_dropout": 1.0}, r"gate_dropout: must be in \[0, 1\), found 1.0"),
        ({"kind": "moe"}, r"kind: .*did you mean 'mmoe'"),
    ],
)
def test_a_head_that_makes_no_sense_is_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(Node.of(options, "test"), HeadConfig)

"""Factorisation machines as a sum over every pair."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from tests import naive
from tests.conformance.setting import rank_batch, rank_data
from zoo.core.registry import create_model
from zoo.rank.fm import FactorizationMachine

BATCH = rank_batch()
SPOTS = ((0, 0), (1, 2), (len(BATCH["item_id"]) - 1, 5))


def fresh(**params: object) -> FactorizationMachine:
    model: FactorizationMachine = create_model("rank/fm", rank_data()[0], embed_dim=4, **params)
    return model.eval()


def of_spot(model: FactorizationMachine, row: int, place: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """`(T,)` Σ w x, and v x of every feature."""
    levels, first, second = ((row,), (row, place)), [], []
    for level, where in zip(("of_request", "of_candidate"), levels, strict=True):
        first += naive.fields(getattr(model.linear, level), BATCH, where)
        second += naive.fields(getattr(model.fields, level), BATCH, where)
    return np.sum(first, axis=0), second


def test_one_task_is_the_paper_and_more_weigh_its_dimensions() -> None:
    model = fresh()
    naive.spread(model)
    model.heads.as_sums()
    model.heads["watch"].bias.data.fill_(0.25)
    model.heads["like"].weight.data.copy_(torch.tensor([[1.0, 2.0, -1.0, 0.5]]))
    logits = model(BATCH)
    for row, place in SPOTS:
        first, vectors = of_spot(model, row, place)
        pairs = sum(v @ w for v, w in combinations(vectors, 2))
        assert logits["watch"][row, place].item() == pytest.approx(0.25 + first[0] + pairs, abs=1e-3)
        weighed = sum((v * w) @ [1, 2, -1, 0.5] for v, w in combinations(vectors, 2))
        assert logits["like"][row, place].item() == pytest.approx(first[1] + weighed, abs=1e-3)
    used = [*rank_data()[0].having("user", "context", "item_id", "item", "item_stat", "column", "cross")]
    assert len(vectors) == len(used)


def test_a_fresh_machine_starts_as_the_paper() -> None:
    assert all(head.weight.eq(1).all() and not head.bias.any() for head in fresh().heads.values())


def test_a_head_with_experts_reads_the_products() -> None:
    model = fresh(head={"kind": "mmoe", "experts": 2})
    naive.spread(model)
    row, place = SPOTS[1]
    first, vectors = of_spot(model, row, place)
    products = sum((v * w for v, w in combinations(vectors, 2)), np.zeros(4))
    for number, task in enumerate(("watch", "like")):
        below = naive.mixture(model.heads.gates[task], products, (model.heads.experts, products))
        deep = naive.mlp(model.heads.towers[task], below, last_is_linear=True)
        assert model(BATCH)[task][row, place].item() == pytest.approx(
            float(first[number] + deep[0]), abs=1e-3
        )

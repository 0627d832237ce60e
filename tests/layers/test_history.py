"""Weights of a history against a loop."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zoo.core.schema import Feature
from zoo.layers.history import history_mean, recency
from zoo.layers.inputs import RequestInput, per_candidate

HISTORY = torch.tensor([[3, 1, 3, 0], [0, 0, 0, 0], [2, 0, 0, 0]])


@pytest.mark.parametrize("half_life", [None, 2.0])
def test_weights_halve_every_half_life(half_life: float | None) -> None:
    found = recency(HISTORY, half_life)
    for row, ids in enumerate(HISTORY.tolist()):
        for back, item in enumerate(ids):
            expected = (1.0 if half_life is None else 0.5 ** (back / half_life)) * (item > 0)
            assert found[row, back].item() == pytest.approx(expected)


@pytest.mark.parametrize("half_life", [None, 2.0])
def test_the_mean_is_weighted_and_zero_for_nobody(half_life: float | None) -> None:
    table = nn.Embedding(4, 5, padding_idx=0)
    found = history_mean(table, HISTORY, half_life)
    weight = recency(HISTORY, half_life)[0, :3]
    by_hand = sum(w * table.weight[item] for w, item in zip(weight, (3, 1, 3), strict=True)) / weight.sum()
    assert torch.allclose(found[0], by_hand, atol=1e-6) and not found[1].any()
    assert torch.allclose(found[2], table.weight[2])
    wider = history_mean(table, torch.cat([HISTORY, torch.zeros(3, 9, dtype=torch.int64)], 1), half_life)
    assert torch.allclose(found, wider)


def test_every_event_gets_its_share_of_the_gradient() -> None:
    table = nn.Embedding(4, 1, padding_idx=0)
    history_mean(table, HISTORY[:1]).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad.flatten().tolist() == pytest.approx([0, 1 / 3, 0, 2 / 3])


def test_a_requests_input_is_its_features_and_its_history() -> None:
    age, history = (
        Feature("age", "user", "categorical", 3),
        Feature("history:w", "history", "sequence", 4, 9, "w"),
    )
    layer = RequestInput([age], history, 5, history_length=2)
    batch = {"age": torch.tensor([1, 2, 0]), "history:w": HISTORY}
    found = layer(batch)
    assert layer.dim == 10 and torch.allclose(found[:, :5], layer.features(batch))
    # Only the two newest of the first user's three events count.
    assert torch.allclose(found[0, 5:], (layer.table.weight[3] + layer.table.weight[1]) / 2, atol=1e-6)
    assert RequestInput([age], None, 5).dim == 5


def test_a_request_is_repeated_for_each_candidate() -> None:
    request, candidate = torch.tensor([[1.0], [2.0]]), torch.tensor([[[5.0], [6.0]], [[7.0], [8.0]]])
    assert per_candidate(request, candidate).tolist() == [[[1, 5], [1, 6]], [[2, 7], [2, 8]]]

"""Implicit ALS against dense numpy, one user at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.world import padded_ids
from zoo.core.registry import create_model
from zoo.core.schema import Feature, Schema
from zoo.core.types import Request
from zoo.recall import ials
from zoo.recall.ials import IALS, Rows

ITEMS, DIM = 12, 3


def model(**params: object) -> IALS:
    history = Feature("history:watch", "history", "sequence", ITEMS + 1, 5, "watch")
    schema = Schema((history, Feature("item_id", "item_id", "categorical", ITEMS + 1)))
    torch.manual_seed(0)
    made: IALS = create_model("recall/ials", schema, **{"embed_dim": DIM, **params})
    return made


def counted(histories: list[list[int]], batch: int = 3, **params: object) -> IALS:
    made = model(**params)
    for start in range(0, len(histories), batch):
        made.count({"history:watch": padded_ids(histories[start : start + batch])})
    made.finish()
    made.prepare({})
    return made


def draw_histories(seed: int, count: int) -> list[list[int]]:
    draw = np.random.default_rng(seed)
    return [draw.permutation(np.arange(1, ITEMS + 1))[: draw.integers(1, 7)].tolist() for _ in range(count)]


def solved(others: np.ndarray, weights: np.ndarray, made: IALS) -> np.ndarray:
    """The u for which `Σ w (1 - ⟨u,v⟩)² + α Σ ⟨u,v⟩² + λ (Σ w + α n)^ν ‖u‖²` is least, over all v."""
    alpha, n = made.config.unobserved, len(others)
    penalty = made.config.l2 * (weights.sum() + alpha * n) ** made.config.frequency_power
    matrix = alpha * others.T @ others + penalty * np.eye(DIM)
    for weight, vector in zip(weights, others, strict=True):
        matrix += weight * np.outer(vector, vector)
    return np.linalg.solve(matrix, others.T @ weights)


def objective(x: np.ndarray, users: np.ndarray, items: np.ndarray, made: IALS) -> float:
    """The loss of Rendle et al., term by term."""
    alpha, power, guess = made.config.unobserved, made.config.frequency_power, users @ items.T
    by_user = (x.sum(1) + alpha * x.shape[1]) ** power @ (users**2).sum(1)
    by_item = (x.sum(0) + alpha * x.shape[0]) ** power @ (items**2).sum(1)
    fit = (x * (1 - guess) ** 2).sum() + alpha * (guess**2).sum()
    return float(fit + made.config.l2 * (by_user + by_item))


OPTIONS = [{}, {"unobserved": 0.7, "l2": 0.2, "frequency_power": 0.5}, {"frequency_power": 0.0, "l2": 2.0}]


@pytest.mark.parametrize("params", OPTIONS, ids=str)
def test_a_half_step_solves_each_row_alone(params: dict[str, object]) -> None:
    made, histories = model(**params), draw_histories(0, 15)
    histories[4] = []
    items = np.random.default_rng(1).normal(size=(ITEMS + 1, DIM))
    items[0] = 0
    row = torch.tensor([u for u, history in enumerate(histories) for _ in history])
    ids = torch.tensor([item for history in histories for item in history])
    found = made._half_step(torch.tensor(items).float(), Rows.of(row, ids, len(histories)), ITEMS)
    for user, history in zip(found, histories, strict=True):
        chosen = np.array([item in history for item in range(1, ITEMS + 1)], float)
        assert np.allclose(user.numpy(), solved(items[1:], chosen, made), atol=1e-4)


@pytest.mark.parametrize("params", OPTIONS, ids=str)
def test_every_sweep_lowers_the_loss_and_many_reach_its_minimum(params: dict[str, object]) -> None:
    histories = draw_histories(2, 30)
    x = np.array([[item in history for item in range(1, ITEMS + 1)] for history in histories], float)
    losses = []
    for sweeps in (1, 2, 4, 400):
        made = counted(histories, sweeps=sweeps, **params)
        items = made.items[1:].double().numpy()
        users = np.stack([solved(items, chosen, made) for chosen in x])
        losses.append(objective(x, users, items, made))
    assert losses[0] > losses[1] > losses[2] > losses[3] - 1e-6
    again = np.stack([solved(users, chosen, made) for chosen in x.T])
    assert np.allclose(again, items, atol=1e-2 * np.abs(items).max())


@pytest.mark.parametrize(("length", "half_life"), [(200, None), (3, 1.5)])
def test_a_request_is_solved_from_its_weighted_history(length: int, half_life: float | None) -> None:
    made = counted(draw_histories(3, 30), history_length=length, half_life=half_life)
    asked = [[3, 1, 7, 2], [5], [], [4, 4, 6]]
    request = Request({"history:watch": padded_ids(asked)})
    ids = torch.arange(1, ITEMS + 1).expand(len(asked), -1)
    items = made.items[1:].double().numpy()
    for history, scores in zip(asked, made.score(request, ids).numpy(), strict=True):
        weights = np.zeros(ITEMS)
        for back, item in enumerate(history[:length]):
            if item not in history[:back]:
                weights[item - 1] = 1 if half_life is None else 0.5 ** (back / half_life)
        assert np.allclose(scores, items @ solved(items, weights, made), atol=1e-4)
    found = made.search(request, 4)[0]
    assert (found[:2] > 0).all() and not found[2].any()


@pytest.mark.parametrize("block", [1, 60, 10**6])
def test_neither_batches_nor_blocks_nor_order_change_the_vectors(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    histories = draw_histories(4, 25)
    whole = counted(histories, batch=100).items
    monkeypatch.setattr(ials, "BLOCK", block)
    assert torch.allclose(counted(histories[::-1], batch=2).items, whole, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("embed_dim", 0),
        ("unobserved", 0.0),
        ("l2", 0.0),
        ("sweeps", 0),
        ("history_length", 0),
        ("half_life", 0.0),
    ],
)
def test_a_senseless_option_names_itself(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        IALS.Config(**{name: value})

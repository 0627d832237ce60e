"""EASE against dense numpy in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.world import padded_ids
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.core.schema import Feature, Schema
from zoo.core.types import Request
from zoo.recall import ease
from zoo.recall.ease import EASE, block_column, invert_

ITEMS = 12


def schema(items: int = ITEMS) -> Schema:
    history = Feature("history:watch", "history", "sequence", items + 1, 5, "watch")
    return Schema((history, Feature("item_id", "item_id", "categorical", items + 1)))


def counted(histories: list[list[int]], batch: int = 3, **params: object) -> EASE:
    model: EASE = create_model("recall/ease", schema(), **params)
    model.start()
    for start in range(0, len(histories), batch):
        model.count({"history:watch": padded_ids(histories[start : start + batch])})
    model.finish()
    return model


def draw_histories(seed: int, count: int) -> list[list[int]]:
    draw = np.random.default_rng(seed)
    return [draw.integers(1, ITEMS + 1, size=draw.integers(1, 9)).tolist() for _ in range(count)]


def weights(histories: list[list[int]], l2: float, neighbours: int | None = None) -> np.ndarray:
    """`(ITEMS + 1, ITEMS + 1)` from the closed form of the paper."""
    x = np.array([[item in history for item in range(ITEMS + 1)] for history in histories], float)
    inverse = np.linalg.inv(x.T @ x + l2 * np.eye(ITEMS + 1))
    solved = -inverse / np.diag(inverse)
    np.fill_diagonal(solved, 0)
    if neighbours is not None:
        for column in solved.T:
            column[np.argsort(-np.abs(column), kind="stable")[neighbours:]] = 0
    return solved


def scores(solved: np.ndarray, asked: list[list[int]], length: int, half_life: float) -> np.ndarray:
    found = np.zeros((len(asked), ITEMS + 1))
    for row, history in enumerate(asked):
        for back, item in enumerate(history[:length]):
            if item not in history[:back]:
                found[row] += solved[item] * 0.5 ** (back / half_life)
    return found


@pytest.mark.parametrize("neighbours", [None, 1, 4, ITEMS + 5])
@pytest.mark.parametrize(("l2", "length", "half_life"), [(1.0, 200, np.inf), (20.0, 3, 1.5)])
def test_scores_are_those_of_the_closed_form(
    neighbours: int | None, l2: float, length: int, half_life: float
) -> None:
    histories, asked = draw_histories(0, 40), [*draw_histories(1, 10), [], [1, 1]]
    params = {"l2": l2, "history_length": length, "half_life": None if half_life == np.inf else half_life}
    found = counted(histories, neighbours=neighbours, **params)._scores(padded_ids(asked))
    expected = scores(weights(histories, l2, neighbours), asked, length, half_life)
    assert np.allclose(found.numpy(), expected, atol=1e-5)


def test_weights_are_the_best_without_a_diagonal() -> None:
    """No step away from the solution makes the penalised squared error smaller."""
    histories = draw_histories(2, 30)
    x = np.array([[item in history for item in range(ITEMS + 1)] for history in histories], float)
    solved = counted(histories, l2=3.0).weights.double().numpy()
    gradient = x.T @ (x @ solved - x) + 3.0 * solved
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-4 and not np.diag(solved).any()


@pytest.mark.parametrize("dense", [True, False])
def test_weighed_weights_are_the_best_for_histories_with_holes(
    dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the expected error over all ways to hide items, what is left of a history scaled up for them."""
    monkeypatch.setattr(ease, "PAIR_COST", 10**9 if dense else 0)
    histories, hidden = draw_histories(2, 30), 0.3
    x = np.array([[item in history for item in range(ITEMS + 1)] for history in histories], float)
    options = {"l2": 3.0, "dropout": hidden, "activity_power": 0.5, "target_power": 0.25}
    solved = counted(histories, **options).weights.double().numpy()
    solved *= x.sum(0).clip(1) ** 0.25
    weight = x.sum(1) ** -0.5
    x, wanted = x[:, 1:], solved[1:, 1:]

    def error(b: np.ndarray) -> float:
        mean = ((x - x @ b) ** 2).sum(1)
        # An item that is there with probability 1 - p and then counts 1 / (1 - p) varies by p / (1 - p).
        spread = (x @ b**2).sum(1) * hidden / (1 - hidden)
        return float(weight @ (mean + spread) + 3.0 * weight.mean() * (b**2).sum())

    draw = np.random.default_rng(0)
    for _ in range(50):
        step = 1e-3 * draw.normal(size=wanted.shape)
        np.fill_diagonal(step, 0)
        assert error(wanted + step) > error(wanted)


@pytest.mark.parametrize(("size", "block"), [(1, 4), (7, 1), (23, 5), (23, 23), (24, 8), (24, 100)])
def test_the_sweep_inverts(size: int, block: int) -> None:
    draw = torch.Generator().manual_seed(size)
    half = torch.randn(size, size + 3, generator=draw)
    matrix = half @ half.T + torch.eye(size)
    expected = np.linalg.inv(matrix.double().numpy())
    # What is above the diagonal is never read.
    lower = matrix.tril() + torch.full_like(matrix, torch.nan).triu(1)
    invert_(lower, block)
    assert np.allclose(block_column(lower, 0, size).numpy(), expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("pairs", [1, 5, 10**6])
@pytest.mark.parametrize("cost", [0, 10**6])
def test_neither_batches_nor_ways_of_counting_change_the_weights(
    monkeypatch: pytest.MonkeyPatch, pairs: int, cost: int
) -> None:
    histories = draw_histories(3, 20)
    whole = counted(histories, batch=100).weights
    monkeypatch.setattr(ease, "PAIRS", pairs)
    monkeypatch.setattr(ease, "PAIR_COST", cost)
    assert torch.allclose(counted(histories, batch=2).weights, whole, atol=1e-6)


def test_only_what_the_history_speaks_for_is_found() -> None:
    model = counted([[1, 2], [1, 2], [3, 4], [3, 4], [1, 2, 3]], l2=0.5)
    ids, values = model.search(Request({"history:watch": torch.tensor([[1, 0], [0, 0]])}), ITEMS)
    assert ids[0, 0] == 2 and 4 not in ids[0] and not ids[1].any()
    assert (values[ids > 0] > 0).all()


def test_a_penalty_too_small_is_told() -> None:
    with pytest.raises(UserError, match=r"^recall/ease: l2: 1e-20 is too small, the matrix is not positive"):
        counted([[1, 2]] * 4, l2=1e-20)


def test_a_catalogue_too_large_is_refused_at_once() -> None:
    with pytest.raises(UserError, match=r"max_items: 60,000 items need a matrix of 13\.4 GiB"):
        create_model("recall/ease", schema(60_000))


@pytest.mark.parametrize(
    ("name", "value"), [("l2", 0.0), ("neighbours", 0), ("history_length", 0), ("half_life", 0.0)]
)
def test_a_senseless_option_names_itself(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        EASE.Config(**{name: value})

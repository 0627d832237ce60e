"""The M-step of Deep Retrieval against its cost written out, and against all assignments."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.kernels.paths import TINY, assign


def cost(paths: np.ndarray, scores: np.ndarray, penalty: float, weights: np.ndarray | None = None) -> float:
    """`-Σ_items weight · log Σ_j score + α Σ_paths load⁴`, with `scores` `(N, P)` of all paths."""
    weights = np.ones(len(paths)) if weights is None else weights
    likely = sum(-weights[i] * np.log(TINY + scores[i, own].sum()) for i, own in enumerate(paths))
    return float(likely + penalty * (np.bincount(paths.ravel()).astype(float) ** 4).sum())


def moved(
    paths: np.ndarray, scores: np.ndarray, penalty: float, sweeps: int = 1, weights: np.ndarray | None = None
) -> np.ndarray:
    """The paths after `assign`; an item may take those it has a score for."""
    candidates = np.argsort(-scores, axis=1, kind="stable").astype(np.int64)
    values = np.take_along_axis(scores, candidates, 1)
    candidates[values == 0] = -1
    found, loads = paths.copy(), np.bincount(paths.ravel(), minlength=scores.shape[1])
    weights = np.ones(len(paths)) if weights is None else weights
    assign(found, candidates.copy(), values.copy(), loads, weights, penalty, sweeps)
    assert (loads == np.bincount(found.ravel(), minlength=scores.shape[1])).all()
    return found


def draw(seed: int, items: int, paths: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    start = generator.random((items, paths)).argsort(1)[:, :each].copy()
    return start, generator.random((items, paths)) * (generator.random((items, paths)) < 0.7)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(3, 7), st.integers(1, 3), st.floats(0, 0.3))
def test_no_sweep_raises_the_cost_until_no_move_lowers_it(
    seed: int, items: int, count: int, each: int, penalty: float
) -> None:
    paths, scores = draw(seed, items, count, each)
    weights = np.random.default_rng(seed).exponential(size=items)
    before = cost(paths, scores, penalty, weights)
    for _ in range(3):
        paths = moved(paths, scores, penalty, 1, weights)
        assert all(len(set(own)) == each for own in paths.tolist())
        now = cost(paths, scores, penalty, weights)
        assert now <= before + 1e-9
        before = now
    paths = moved(paths, scores, penalty, 50, weights)
    best = cost(paths, scores, penalty, weights)
    for item, j, path in product(range(items), range(each), range(count)):
        if scores[item, path] and path not in paths[item]:
            other = paths.copy()
            other[item, j] = path
            assert cost(other, scores, penalty, weights) >= best - 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_without_a_penalty_every_item_takes_its_best_path(seed: int) -> None:
    paths, scores = draw(seed, 8, 6, 1)
    assert (moved(paths, scores + 1e-6, 0.0)[:, 0] == scores.argmax(1)).all()


def test_a_small_case_reaches_the_best_of_all_assignments() -> None:
    """Two items want path 0, one of them much more; a crowded path is not worth it for the other."""
    scores = np.array([[0.9, 0.1, 0.0], [0.5, 0.4, 0.0], [0.2, 0.3, 0.8]])
    costs = {own: cost(np.array(own)[:, None], scores, 0.05) for own in product(range(3), repeat=3)}
    found = moved(np.array([[2], [2], [2]]), scores, 0.05, sweeps=5)
    assert tuple(found[:, 0]) == min(costs, key=lambda own: costs[own]) == (0, 1, 2)


def test_a_penalty_spreads_items_that_all_like_the_same_path() -> None:
    scores = np.tile(np.array([[1.0, 0.9, 0.8, 0.7]]), (20, 1))
    start = np.zeros((20, 1), np.int64)
    loads = [
        np.bincount(moved(start, scores, penalty, 10).ravel(), minlength=4) for penalty in (0, 1e-4, 1.0)
    ]
    assert loads[0].tolist() == [20, 0, 0, 0] and loads[2].tolist() == [5, 5, 5, 5]
    assert 5 < loads[1].max() < 20


def test_who_is_clicked_more_gets_the_better_path() -> None:
    scores = np.array([[0.9, 0.6], [0.9, 0.6]])
    for weights in ([5.0, 1.0], [1.0, 5.0]):
        found = moved(np.array([[1], [1]]), scores, 0.1, 5, np.array(weights))
        assert found[:, 0].tolist() == [0 if weight == 5 else 1 for weight in weights]


def test_an_item_nobody_clicked_stays_where_it_is() -> None:
    paths, scores = draw(0, 5, 6, 2)
    scores[3] = 0
    assert (moved(paths, scores, 0.01)[3] == paths[3]).all()

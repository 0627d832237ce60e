"""The running top-k against Python's sort."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.kernels.topk import RunningTopK


def naive(scores: np.ndarray, k: int, exclude: np.ndarray) -> list[set[int]]:
    found = []
    for row, out in zip(scores, exclude, strict=True):
        left = [c for c in range(len(row)) if c not in out and row[c] > -np.inf]
        best = sorted(left, key=lambda column: (-row[column], column))[:k]
        found.append({*best} | ({-1} if len(best) < k else set()))
    return found


def running(scores: np.ndarray, k: int, exclude: np.ndarray, block: int, origin: int = 0) -> list[set[int]]:
    best = RunningTopK(len(scores), k, torch.from_numpy(exclude + origin), origin)
    for first in range(0, scores.shape[1], block):
        best.add(torch.from_numpy(scores[:, first : first + block].copy()), first)
    return [set(row) for row in best.places.tolist()]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    columns=st.integers(1, 700),
    k=st.integers(1, 200),
    levels=st.sampled_from([1, 2, 5, 10**6]),
    block=st.integers(1, 700),
    origin=st.sampled_from([0, 1, 50]),
)
def test_equals_a_stable_sort_of_what_is_not_excluded(
    seed: int, columns: int, k: int, levels: int, block: int, origin: int
) -> None:
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, levels, (3, columns)).astype(np.float32) - levels // 2
    scores[draw.random(scores.shape) < 0.05] = -np.inf
    exclude = draw.integers(-1, columns, (3, draw.integers(0, 2 * columns)))
    assert running(scores, k, exclude, block, origin) == naive(scores, k, exclude)


@pytest.mark.parametrize("order", [np.arange(5000), np.arange(5000)[::-1], np.zeros(5000)])
def test_rising_falling_and_equal_scores(order: np.ndarray) -> None:
    scores, none = order[None].astype(np.float32), np.zeros((1, 0), np.int64)
    assert running(scores, 30, none, 512) == naive(scores, 30, none)


def test_threads_share_the_rows() -> None:
    draw, before = np.random.default_rng(0), torch.get_num_threads()
    scores, exclude = draw.random((7, 900), np.float32), draw.integers(0, 900, (7, 40))
    try:
        torch.set_num_threads(3)
        assert running(scores, 9, exclude, 300) == naive(scores, 9, exclude)
    finally:
        torch.set_num_threads(before)

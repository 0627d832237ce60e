"""Nearest items by counts of bits and by sums, against a matrix product."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.kernels import pairs
from zoo.kernels.bits import CHUNK, common, set_bits

USERS, ITEMS = 300, 90


def likes(seed: int = 0) -> np.ndarray:
    """`(USERS, ITEMS)` who likes what; some items are liked by most, some by nobody."""
    draw = np.random.default_rng(seed)
    return (draw.random((USERS, ITEMS)) < draw.random(ITEMS) ** 4).astype(np.float32)


@pytest.mark.parametrize("head", [0, 4, 10**6])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_nearest_are_those_of_a_matrix_product(
    head: int, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "HEAD", head)
    matrix, draw = likes(), np.random.default_rng(1)
    weights = (draw.random(USERS) + 0.5 if weighted else np.ones(USERS)).astype(np.float32)
    own, others = (draw.random((2, ITEMS)) + 0.1).astype(np.float32)
    item, user = matrix.T.nonzero()
    offsets = np.searchsorted(item, np.arange(ITEMS + 1))
    found = np.zeros((ITEMS, ITEMS))
    fixed, other, similarity = pairs.nearest(offsets, user.astype(np.uint32), weights, own, others, 7)
    found[fixed, other] = similarity
    expected = (matrix.T * weights) @ matrix * np.outer(own, others)
    np.fill_diagonal(expected, 0)
    expected[expected < np.sort(expected)[:, -7:-6]] = 0
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_rows_of_bits_longer_than_a_chunk() -> None:
    """Users at both ends of a row of bits, and in the next chunk."""
    users = 64 * CHUNK + 70
    matrix = (np.random.default_rng(0).random((5, users)) < 0.1).astype(np.int64)
    matrix[:, [0, 63, 64 * CHUNK - 1, 64 * CHUNK, users - 1]] = 1
    rows, user = matrix.nonzero()
    bits = np.zeros((5, -(-users // 64)), np.uint64)
    set_bits(bits, np.searchsorted(rows, np.arange(6)), user.astype(np.uint32), np.arange(5))
    counts = np.full((2, 5), 9, np.uint32)
    common(bits, 1, 2, counts)
    expected = matrix @ matrix.T
    assert counts[0].tolist() == [expected[1, 0], 0, 0, 0, 0]
    assert counts[1].tolist() == [*expected[3, :3], 0, 0]

"""Counts of pairs in hash tables that grow, against a matrix product."""

from __future__ import annotations

import numpy as np

from zoo.kernels.likes import transposed
from zoo.kernels.together import Together


def dense(counts: Together, items: int) -> np.ndarray:
    found = np.zeros((items, items), int)
    for item in range(items):
        keys, times = counts.of(item)
        found[item, keys[keys > 0]] = times[keys > 0]
    return found


def test_counts_equal_a_matrix_product() -> None:
    draw, items, users = np.random.default_rng(0), 120, 60
    likes = draw.random((users, items)) < 0.1
    likes[:, 0] = False
    likes[:, 7] = True
    user, item = likes.nonzero()
    offsets = np.searchsorted(user, np.arange(users + 1))
    by_item = transposed(offsets, item.astype(np.uint32), items, np.arange(users))
    by_user = transposed(by_item[0], by_item[1], users, np.arange(items))
    whole = Together(by_item, by_user)
    counts = likes.T.astype(int) @ likes
    np.fill_diagonal(counts, 0)
    assert np.array_equal(dense(whole, items), counts)
    # The same from nothing, like by like.
    none = np.zeros(0, np.uint32)
    grown = Together((np.zeros(items + 1, np.int64), none), (np.zeros(users + 1, np.int64), none))
    for one in range(users):
        mine = draw.permutation(likes[one].nonzero()[0]).astype(np.uint32)
        for place, liked in enumerate(mine):
            grown.add(int(liked), mine[:place])
    assert np.array_equal(dense(grown, items), counts)

"""Votes of the items in a history for their neighbours, and the items with most."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from zoo.kernels.best import id_of, pack, settle, value_of
from zoo.kernels.threads import in_threads, ranges

REQUESTS = 16
"""Fewer than this many are no work for another thread."""


@njit(nogil=True)
def add_votes(history: Any, weights: Any, table: Any, sums: Any, met: Any) -> int:
    """Adds a history's votes to `sums` `(I,)` and writes the items that have some to `met`: how many."""
    starts, stops, targets, similarities = table
    found = 0
    for back in range(min(len(history), len(weights))):
        # Doubles from here on, also so that no product underflows to a vote of 0.
        seed, weight = history[back], np.float64(weights[back])
        if seed == 0 or weight == 0:
            continue
        for place in range(starts[seed], stops[seed]):
            target = targets[place]
            met[found] = target
            found += sums[target] == 0
            sums[target] += weight * similarities[place]
    return found


@njit(nogil=True)
def best_by_votes(first: int, last: int, asked: Any, table: Any, count: int, ids: Any, scores: Any) -> None:
    """Writes the best items of the requests `first:last` to `ids` and `scores` `(B, k)`, best first."""
    histories, weights, excluded = asked
    sums, met = np.zeros(count), np.empty(count + 1, np.uint32)
    candidates = np.empty(count, np.uint64)
    for row in range(first, last):
        found = add_votes(histories[row], weights[row], table, sums, met)
        for item in excluded[row]:
            sums[item] = 0
        sums[0] = 0
        size: Any = np.int64(0)
        for n in range(found):
            candidates[size] = pack(sums[met[n]], met[n])
            size += sums[met[n]] > 0
            sums[met[n]] = 0
        for place in range(settle(candidates, size, ids.shape[1])):
            ids[row, place], scores[row, place] = id_of(candidates[place]), value_of(candidates[place])


@njit(nogil=True)
def votes_of(first: int, last: int, asked: Any, table: Any, count: int, ids: Any, scores: Any) -> None:
    """Writes the votes for `ids` `(B, K)` to `scores`, of the requests `first:last`."""
    histories, weights = asked
    sums, met = np.zeros(count), np.empty(count + 1, np.uint32)
    for row in range(first, last):
        found = add_votes(histories[row], weights[row], table, sums, met)
        for place in range(ids.shape[1]):
            scores[row, place] = sums[ids[row, place]]
        for n in range(found):
            sums[met[n]] = 0


def recalled(histories: Any, weights: Any, excluded: Any, table: Any, count: int, k: int) -> tuple[Any, Any]:
    """The `k` items with most votes of each request, equal ones by lower id.

    Votes are added up in double precision, so that equal ones are equal in whatever order they came.

    Args:
        histories: `(B, L)` int64 item ids, 0 is padding.
        weights: `(B, L')` float32 of the items of the histories; what lies behind does not vote.
        excluded: `(B, S)` int64 item ids that are not recalled.
        table: By voting item, int64 starts and stops in `(N,)` uint32 neighbours and float32 similarities.
        count: Ids of neighbours are below it.
        k: Items wanted.

    Returns:
        Ids int64 and scores float32, `(B, k)`; both 0 where nothing more has a vote.
    """
    ids = np.zeros((len(histories), k), np.int64)
    scores = np.zeros(ids.shape, np.float32)

    def work(rows: tuple[int, int]) -> None:
        best_by_votes(rows[0], rows[1], (histories, weights, excluded), table, count, ids, scores)

    in_threads(work, ranges(len(histories), REQUESTS))
    return ids, scores


def scored(histories: Any, weights: Any, table: Any, count: int, ids: Any) -> Any:
    """`(B, K)` float32 votes for given items `(B, K)`; as `recalled` otherwise."""
    scores = np.zeros(ids.shape, np.float32)

    def work(rows: tuple[int, int]) -> None:
        votes_of(rows[0], rows[1], (histories, weights), table, count, ids, scores)

    in_threads(work, ranges(len(histories), REQUESTS))
    return scores

"""Votes of all users for pairs of items, reduced to the nearest neighbours of every item on the way."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from numba import njit

from zoo.kernels.best import pack, push, trimmed, unpacked
from zoo.kernels.bits import common, set_bits
from zoo.kernels.likes import transposed
from zoo.kernels.threads import in_threads

BLOCKS = 64
"""Blocks of items, each of which has popular and unpopular ones: the lists get a high floor early."""

HEAD = 64
"""Items that at least one in so many users likes are counted by bits: one or more to a word, on average."""

SPARSE = 8
"""A row with fewer votes than this share of the items is read through a list of the items it met."""


@njit(nogil=True)
def count_pairs(first: int, step: int, by_item: Any, by_user: Any, scales: Any, sums: Any, kept: Any) -> None:
    """Adds up the votes for pairs of every `step`-th item with all earlier ones, and offers them to both.

    Args:
        first: Of these items.
        step: From one to the next.
        by_item: `(I,)` starts and sizes of rows in the `(E,)` users that follow, and `(N, T)` votes for
            pairs of the first T items, which are not counted again.
        by_user: `(U,)` starts of rows in the `(E,)` items that follow, ascending in each, `(U,)` weights.
        scales: `(I,)` factor of the item that keeps, `(I,)` of the one that is kept, `(I,)` ids.
        sums: `(I,)` zeros, left as zeros; room for the items met and for candidates.
        kept: Lists of candidates: buffers `(I, 2k)`, sizes `(I,)` and floors `(I,)`.
    """
    starts, totals, users, counted = by_item
    firsts, items, weights = by_user
    own, others, ids = scales
    together, met, candidates = sums
    buffers, sizes, floor = kept
    count, head, k = len(ids), counted.shape[1], buffers.shape[1] // 2
    mean = len(items) / max(1, len(weights))
    for item in range(first, count, step):
        few = totals[item] * mean * SPARSE < item
        found, votes_of_head = 0, item < head
        if votes_of_head:
            for earlier in range(item):
                together[earlier] = counted[(item - first) // step, earlier]
        for e in range(starts[item], starts[item] + (0 if votes_of_head else totals[item])):
            user = users[e]
            weight, place = weights[user], firsts[user]
            if few:
                while items[place] != item:
                    other = items[place]
                    met[found] = other
                    found += together[other] == 0
                    together[other] += weight
                    place += 1
            else:
                while items[place] != item:
                    together[items[place]] += weight
                    place += 1
        size: Any = np.int64(0)
        for n in range(found if few else item):
            other = np.int64(met[n]) if few else n
            votes = together[other]
            if votes > 0:
                together[other] = 0
                candidates[size] = pack(votes * own[item] * others[other], ids[other])
                size += candidates[size] > floor[item]
                candidate = pack(votes * own[other] * others[item], ids[item])
                if candidate > floor[other]:
                    push(buffers, sizes, floor, other, candidate)
        trimmed(candidates, size, k)
        for n in range(min(size, k)):
            push(buffers, sizes, floor, item, candidates[n])


@njit(nogil=True)
def merge(into: Any, other: Any) -> None:
    """Adds the lists of another thread."""
    buffers, sizes, floor = into
    for row in range(len(sizes)):
        for place in range(other[1][row]):
            candidate = other[0][row, place]
            if candidate > floor[row]:
                push(buffers, sizes, floor, row, candidate)


@njit(nogil=True)
def trim(kept: Any) -> None:
    """Leaves the best k of every list, and 0 behind them."""
    buffers, sizes, _ = kept
    k = buffers.shape[1] // 2
    for row in range(len(sizes)):
        trimmed(buffers[row], sizes[row], k)
        for place in range(min(sizes[row], k), 2 * k):
            buffers[row, place] = 0


def nearest(offsets: Any, users: Any, weights: Any, own: Any, others: Any, k: int) -> tuple[Any, Any, Any]:
    """The `k` most similar items of every item, `sim(i, j) = own_i · others_j · Σ_u weight_u`.

    The sum is over the users that like both. Every pair is counted once, a row of sums at a time, so that
    memory grows with likes and with items × k, never with items². Sums are exact up to 2^24 where all
    weights are 1.

    Args:
        offsets: `(I + 1,)` int64; item i is liked by the users `offsets[i]:offsets[i + 1]`, each once.
        users: `(E,)` uint32 below U.
        weights: `(U,)` float32 above 0.
        own: `(I,)` float32 factor of the item whose neighbours are kept.
        others: `(I,)` float32 factor of the item that is kept.
        k: Neighbours kept; of equal ones those with lower ids.

    Returns:
        `(N,)` item, neighbour and similarity, in no order.
    """
    lists, ids = _lists_of(_Numbered(offsets, users, weights), own, others, k)
    fixed, other, similarity = unpacked(lists)
    # A product of small factors can be too small for a float.
    real = similarity > 0
    return ids[fixed][real], other[real], similarity[real]


def _lists_of(likes: _Numbered, own: Any, others: Any, k: int) -> tuple[Any, Any]:
    """`(I, k)` candidates by number of the item, 0 where there are fewer, and the `(I,)` ids of items."""
    ids = likes.ids
    scales = (own[ids], others[ids], ids)
    scratch: SimpleQueue[Any] = SimpleQueue()
    for _ in range(torch.get_num_threads()):
        scratch.put((_sums(len(ids)), _lists(len(ids), k)))

    def work(block: int) -> None:
        sums, kept = scratch.get()
        by_item = (*likes.by_item, likes.of_head(block))
        count_pairs(block, BLOCKS, by_item, likes.by_user, scales, sums, kept)
        scratch.put((sums, kept))

    in_threads(work, range(BLOCKS))
    kept = scratch.get()[1]
    while not scratch.empty():
        merge(kept, scratch.get()[1])
    trim(kept)
    return kept[0][:, :k], ids


class _Numbered:
    """Likes in the two orders that counting needs, the items numbered from the most liked on.

    A pair is counted with the less liked of its items: few likes are visited then, and most sums are of few
    items, in the nearest cache. Pairs of items that many like are counted by bits, if votes weigh the same.

    Attributes:
        ids: `(I,)` uint32 of the items, by number.
        by_item: `(I,)` starts and sizes by number of rows in the `(E,)` users.
        by_user: `(U,)` starts of rows in the `(E,)` numbers, ascending in each, and `(U,)` weights.
    """

    def __init__(self, offsets: Any, users: Any, weights: Any) -> None:
        totals = np.diff(offsets)
        order = np.argsort(-totals, kind="stable")
        starts, items = transposed(offsets, users, len(weights), order)
        # Half the memory where the numbers fit, and so more of them in the cache.
        items = items.astype(np.uint16) if len(order) <= 1 << 16 else items
        self.ids, self.by_user = order.astype(np.uint32), (starts[:-1], items, weights)
        totals = totals[order]
        self.by_item = offsets[order], totals, users
        head = int((totals * HEAD >= len(weights)).sum()) if (weights == 1).all() else 0
        self._bits = np.zeros((head, -(-len(weights) // 64)), np.uint64)
        set_bits(self._bits, offsets, users, order[:head])

    def of_head(self, block: int) -> Any:
        """`(N, T)` votes of every `BLOCKS`-th item of the head from `block` on, with the earlier ones."""
        head = len(self._bits)
        counts = np.zeros((-(-max(0, head - block) // BLOCKS), head), np.uint32)
        common(self._bits, block, BLOCKS, counts)
        return counts


def _sums(count: int) -> Any:
    return np.zeros(count, np.float32), np.empty(count + 1, np.uint32), np.empty(count, np.uint64)


def _lists(count: int, k: int) -> Any:
    return np.zeros((count, 2 * k), np.uint64), np.zeros(count, np.int64), np.zeros(count, np.uint64)

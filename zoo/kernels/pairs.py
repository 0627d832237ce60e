"""Votes of all users for pairs of items, reduced to the nearest neighbours of every item on the way."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from numba import njit

from zoo.kernels.best import pack, push, trimmed, unpacked
from zoo.kernels.likes import by_popularity
from zoo.kernels.threads import in_threads

BLOCKS = 64
"""Blocks of items, each of which has popular and unpopular ones: the lists get a high floor early."""

SPARSE = 8
"""A row with fewer votes than this share of the items is read through a list of the items it met."""


@njit(nogil=True)
def count_pairs(first: int, step: int, by_item: Any, by_user: Any, scales: Any, sums: Any, kept: Any) -> None:
    """Adds up the votes for pairs of every `step`-th item with all later ones, and offers them to both.

    Args:
        first: Of these items.
        step: From one to the next.
        by_item: `(I + 1,)` offsets, `(E,)` users, `(E,)` where the pair lies by user.
        by_user: `(U + 1,)` offsets, `(E,)` items, `(U,)` weight of a user's votes.
        scales: `(I,)` factor of the item that keeps, `(I,)` of the one that is kept, `(I,)` ids.
        sums: `(I,)` zeros, left as zeros; room for the items met and for candidates.
        kept: Lists of candidates: buffers `(I, 2k)`, sizes `(I,)` and floors `(I,)`.
    """
    item_offsets, users, places = by_item
    user_offsets, items, weights = by_user
    own, others, ids = scales
    together, met, candidates = sums
    buffers, sizes, floor = kept
    count, mean = len(ids), len(items) / max(1, len(weights))
    for item in range(first, count, step):
        start, stop = item_offsets[item], item_offsets[item + 1]
        few = (stop - start) * mean * SPARSE < count - item
        found = 0
        for e in range(start, stop):
            user = users[e]
            weight = weights[user]
            if few:
                for place in range(places[e] + 1, user_offsets[user + 1]):
                    other = items[place]
                    met[found] = other
                    found += together[other] == 0
                    together[other] += weight
            else:
                for place in range(places[e] + 1, user_offsets[user + 1]):
                    together[items[place]] += weight
        size = 0
        for n in range(found if few else count - item - 1):
            other = np.int64(met[n]) if few else item + 1 + n
            votes = together[other]
            if votes > 0:
                together[other] = 0
                candidates[size] = pack(votes * own[item] * others[other], ids[other])
                size += candidates[size] > floor[item]
                candidate = pack(votes * own[other] * others[item], ids[item])
                if candidate > floor[other]:
                    push(buffers, sizes, floor, other, candidate)
        k = buffers.shape[1] // 2
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
        buffers[row, min(sizes[row], k) :] = 0


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
    by_item, by_user, ids = by_popularity(offsets, users, len(weights))
    scales = (own[ids], others[ids], ids)
    scratch: SimpleQueue[Any] = SimpleQueue()
    for _ in range(torch.get_num_threads()):
        scratch.put((_sums(len(ids)), _lists(len(ids), k)))

    def work(block: int) -> None:
        sums, kept = scratch.get()
        count_pairs(block, BLOCKS, by_item, (*by_user, weights), scales, sums, kept)
        scratch.put((sums, kept))

    in_threads(work, range(BLOCKS))
    kept = scratch.get()[1]
    while not scratch.empty():
        merge(kept, scratch.get()[1])
    trim(kept)
    fixed, other, similarity = unpacked(kept[0][:, :k])
    # A product of small factors can be too small for a float.
    real = similarity > 0
    return ids[fixed][real], other[real], similarity[real]


def _sums(count: int) -> Any:
    return np.zeros(count, np.float32), np.empty(count + 1, np.uint32), np.empty(count, np.uint64)


def _lists(count: int, k: int) -> Any:
    return np.zeros((count, 2 * k), np.uint64), np.zeros(count, np.int64), np.zeros(count, np.uint64)

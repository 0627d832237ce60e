"""Swing: items that pairs of users with little else in common both like."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from zoo.kernels.best import pack, select, settle, unpacked
from zoo.kernels.threads import in_threads, ranges

ITEMS = 64
"""Fewer than this many are no work for another thread."""


@njit(nogil=True)
def mixed(user: Any, item: Any, seed: Any) -> Any:
    """SplitMix64 (Steele et al., OOPSLA 2014): another number for every pair of a user and an item."""
    x = (np.uint64(user) << np.uint64(32)) + np.uint64(item)
    x += (np.uint64(seed) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(nogil=True)
def sample(item: Any, likers: Any, keys: Any, most: Any, seed: Any, hashes: Any) -> Any:
    """The `most` of an item's users whose hash with the item is largest, all if there are no more.

    Args:
        item: Its id.
        likers: `(N,)` its users.
        keys: `(U,)` what users are hashed by.
        most: Users wanted, at least 1.
        seed: Of the hash.
        hashes: Room for N numbers.

    Returns:
        Those drawn, by key, and the least hash that is drawn.
    """
    floor = np.uint64(0)
    if len(likers) > most:
        for n in range(len(likers)):
            hashes[n] = mixed(keys[likers[n]], item, seed)
        select(hashes, len(likers), most)
        floor = hashes[:most].min()
    chosen, found = np.empty(min(most, len(likers)), likers.dtype), 0
    for user in likers:
        if mixed(keys[user], item, seed) >= floor:
            place = found
            while place > 0 and keys[chosen[place - 1]] > keys[user]:
                chosen[place] = chosen[place - 1]
                place -= 1
            chosen[place] = user
            found += 1
    return chosen, floor


@njit(nogil=True)
def gather(users: Any, by_user: Any, index: Any, met: Any, likes: Any) -> Any:
    """What these users like: how many items they meet.

    Args:
        users: `(S,)`.
        by_user: `(U,)` starts and sizes of rows in the items that follow.
        index: `(I,)` zeros, left holding 1 + the place in `met` of items that were met.
        met: Room for I items, left holding those that were met.
        likes: `(I, S')` room, left holding by place in `met` who likes the item.
    """
    starts, sizes, items = by_user
    found = 0
    for n in range(len(users)):
        user = users[n]
        for e in range(starts[user], starts[user] + sizes[user]):
            item = items[e]
            if index[item] == 0:
                met[found] = item
                likes[found] = 0
                found += 1
                index[item] = found
            likes[index[item] - 1, n] = 1
    return found


@njit(nogil=True, fastmath=True)
def swing_row(users: Any, by_user: Any, weights: Any, alpha: Any, scratch: Any, sums: Any) -> Any:
    """Writes to `sums` `(M,)`, for each of M items that the users of one meet, its swing with that one: M.

    All that is done for a user and an item of theirs is a sum over all users, which needs no branch.

    Args:
        users: `(S,)` of the one item.
        by_user: `(U,)` starts and sizes of rows in the items that follow.
        weights: `(U,)` of users.
        alpha: What is added to overlaps.
        scratch: `(I,)` zeros, left as zeros; room for I items, left holding those met; `(I, S')` room.
        sums: `(I,)` room.
    """
    index, met, likes = scratch
    starts, sizes, items = by_user
    found = gather(users, by_user, index, met, likes)
    together = np.zeros((len(users), likes.shape[1]), np.float32)
    for n in range(len(users)):
        user = users[n]
        for e in range(starts[user], starts[user] + sizes[user]):
            place = index[items[e]] - 1
            for other in range(likes.shape[1]):
                together[n, other] += likes[place, other]
    for n in range(len(users)):
        for other in range(len(users)):
            both = weights[users[n]] * weights[users[other]]
            together[n, other] = 0 if n == other else both / (alpha + together[n, other])
    sums[:found] = 0
    for n in range(len(users)):
        user = users[n]
        for e in range(starts[user], starts[user] + sizes[user]):
            place, swing = index[items[e]] - 1, np.float32(0)
            for other in range(likes.shape[1]):
                swing += together[n, other] * likes[place, other]
            sums[place] += swing
    for n in range(found):
        index[met[n]] = 0
    return found


@njit(nogil=True)
def swing_rows(
    rows: Any, by_item: Any, by_user: Any, users: Any, scales: Any, options: Any, kept: Any, floors: Any
) -> None:
    """Writes the most similar items of some items to `kept` `(I, k)`, packed, 0 where there are fewer.

    Args:
        rows: `(N,)` the items.
        by_item: `(I,)` starts and sizes of rows in the users that follow.
        by_user: `(U,)` starts and sizes of rows in the items that follow.
        users: `(U,)` keys to draw them by, and weights.
        scales: `(I,)` factor of the item that keeps, `(I,)` of the one that is kept.
        options: α, most users of an item, seed.
        kept: What is written to.
        floors: `(I,)` likewise, the least hash of an item's users that were drawn.
    """
    starts, sizes, likers = by_item
    keys, weights = users
    own, others = scales
    alpha, most, seed = options
    count, k = kept.shape
    index, met, sums = np.zeros(count, np.uint32), np.empty(count, np.uint32), np.empty(count, np.float32)
    likes, hashes = np.empty((count, most), np.uint8), np.empty(max(1, sizes.max()), np.uint64)
    candidates = np.empty(count, np.uint64)
    for item in rows:
        n = sizes[item]
        chosen, floors[item] = sample(item, likers[starts[item] : starts[item] + n], keys, most, seed, hashes)
        found = swing_row(chosen, by_user, weights, alpha, (index, met, likes), sums)
        # What was drawn stands for all pairs of users.
        factor = own[item] * (n * (n - 1) / max(1, len(chosen) * (len(chosen) - 1)))
        size: Any = np.int64(0)
        for m in range(found):
            similarity = np.float32(factor * sums[m] * others[met[m]])
            candidates[size] = pack(similarity, met[m])
            size += int(similarity > 0 and met[m] != item)
        best = settle(candidates, size, k)
        kept[item, :best], kept[item, best:] = candidates[:best], 0


def swing(
    by_item: tuple[Any, Any], by_user: tuple[Any, Any], users: Any, scales: Any, options: Any, k: int
) -> tuple[Any, Any, Any]:
    """The items with the highest swing of every item; see `zoo.recall.swing`.

    Args:
        by_item: `(I + 1,)` int64 offsets and `(E,)` uint32 users, each once.
        by_user: `(U + 1,)` int64 offsets and `(E,)` uint32 items, each once.
        users: `(U,)` int64 keys and `(U,)` float32 weights.
        scales: `(I,)` float32 factors of the item that keeps and of the one that is kept.
        options: α as a float, the most users of an item, the seed.
        k: Neighbours kept; of equal ones those with lower ids.

    Returns:
        `(N,)` item, neighbour and similarity.
    """
    kept = np.zeros((len(by_item[0]) - 1, k), np.uint64)
    floors = np.zeros(len(kept), np.uint64)
    rows = [(offsets[:-1].copy(), np.diff(offsets), columns) for offsets, columns in (by_item, by_user)]

    def work(block: tuple[int, int]) -> None:
        swing_rows(np.arange(*block), rows[0], rows[1], users, scales, options, kept, floors)

    in_threads(work, ranges(len(kept), ITEMS))
    return unpacked(kept)


@njit(nogil=True)
def mark_drawn(key: Any, items: Any, floors: Any, seed: Any, stale: Any) -> None:
    """Marks those of a user's `items` for which the user with this key is drawn."""
    for item in items:
        if mixed(key, item, seed) >= floors[item]:
            stale[item] = True

"""How many users like both of two items, kept up to date like by like, and the neighbours that follow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from zoo.kernels.best import pack, settle, value_of
from zoo.kernels.rows import grown

EMPTY = 8
"""Slots of the smallest hash table; their number is a power of two, of which at most half is used."""


@njit(nogil=True)
def slot_of(row: Any, key: Any, tables: Any, keys: Any) -> Any:
    """Where a key is, or would be, in the hash table of a row."""
    mask = tables[1, row] - 1
    slot = (np.int64(key) * 2654435761 >> 8) & mask
    while keys[tables[0, row] + slot] != 0 and keys[tables[0, row] + slot] != key:
        slot = (slot + 1) & mask
    return tables[0, row] + slot


@njit(nogil=True)
def rehash(row: Any, room: Any, end: Any, tables: Any, keys: Any, counts: Any) -> None:
    """Moves a row's hash table to `end`, with `room` slots."""
    start, size = tables[0, row], tables[1, row]
    tables[0, row], tables[1, row] = end, room
    for slot in range(start, start + size):
        if keys[slot] != 0:
            place = slot_of(row, keys[slot], tables, keys)
            keys[place], counts[place] = keys[slot], counts[slot]


@njit(nogil=True)
def room_for(row: Any, tables: Any) -> Any:
    """Slots that a row needs in a new place to take one more, 0 if it can stay."""
    return 0 if 2 * (tables[2, row] + 1) <= tables[1, row] else max(EMPTY, 2 * tables[1, row])


@njit(nogil=True)
def add_one(row: Any, key: Any, tables: Any, keys: Any, counts: Any) -> None:
    """Counts one more of a key in a row that has room."""
    slot = slot_of(row, key, tables, keys)
    if keys[slot] == 0:
        keys[slot] = key
        tables[2, row] += 1
    counts[slot] += 1


@njit(nogil=True)
def add_like(item: Any, others: Any, end: Any, tables: Any, keys: Any, counts: Any) -> Any:
    """Counts an item together with others, both ways.

    Args:
        item: The item.
        others: `(N,)` other items.
        end: Of what is used of `keys`.
        tables: `(3, I)` start, slots and used slots of the hash table of every item.
        keys: Items met, by slot, 0 where there is none.
        counts: How often, by slot.

    Returns:
        How many of the others were counted until there was no room, and the new `end`.
    """
    for n in range(len(others)):
        for row in (np.int64(item), np.int64(others[n])):
            room = room_for(row, tables)
            if room > 0:
                if end + room > len(keys):
                    return n, end
                rehash(row, room, end, tables, keys, counts)
                end += room
        # Only here, where both have room: a pair is counted both ways or not at all.
        add_one(item, others[n], tables, keys, counts)
        add_one(others[n], item, tables, keys, counts)
    return len(others), end


@njit(nogil=True)
def fill(by_item: Any, by_user: Any, end: Any, tables: Any, keys: Any, counts: Any, first: Any) -> Any:
    """Counts all pairs of items from `first` on: the first item that found no room, and the new `end`."""
    item_offsets, users = by_item
    user_offsets, items = by_user
    size = len(item_offsets) - 1
    sums, met = np.zeros(size, np.uint32), np.empty(size, np.uint32)
    for item in range(first, size):
        found = 0
        for e in range(item_offsets[item], item_offsets[item + 1]):
            for place in range(user_offsets[users[e]], user_offsets[users[e] + 1]):
                other = items[place]
                if sums[other] == 0:
                    met[found] = other
                    found += 1
                sums[other] += 1
        room = EMPTY
        while room < 2 * found:
            room *= 2
        fits = end + room <= len(keys)
        if fits:
            tables[0, item], tables[1, item] = end, room
            end += room
        for n in range(found):
            if fits and met[n] != item:
                slot = slot_of(item, met[n], tables, keys)
                keys[slot], counts[slot] = met[n], sums[met[n]]
                tables[2, item] += 1
            sums[met[n]] = 0
        if not fits:
            return item, end
    return size, end


@njit(nogil=True)
def mark(item: Any, before: Any, own: Any, others: Any, floors: Any, table: Any, stale: Any) -> None:
    """Marks the items among whose neighbours `item` was or is, now that its factor is another.

    Args:
        item: The item.
        before: What `others[item]` was.
        own: `(I,)` factor of the item that keeps neighbours.
        others: `(I,)` factor of the neighbour.
        floors: `(I,)` least similarity that matters.
        table: `(K,)` slots of the item's hash table: keys and counts.
        stale: `(I,)` what is marked.
    """
    keys, counts = table
    for slot in range(len(keys)):
        other = keys[slot]
        if other != 0:
            once = np.float32(counts[slot]) * own[other]
            if once * before >= floors[other] or once * others[item] >= floors[other]:
                stale[other] = True


@njit(nogil=True)
def keep_best(rows: Any, tables: Any, pairs: Any, own: Any, others: Any, kept: Any, floors: Any) -> None:
    """Writes the best neighbours of some items to `kept` `(I, k)`, packed, their worst to `floors`."""
    keys, counts = pairs
    count, k = kept.shape
    candidates = np.empty(count, np.uint64)
    for row in rows:
        size: Any = np.int64(0)
        for slot in range(tables[0, row], tables[0, row] + tables[1, row]):
            if keys[slot] != 0:
                similarity = np.float32(counts[slot]) * own[row] * others[keys[slot]]
                candidates[size] = pack(similarity, keys[slot])
                size += similarity > 0
        best = settle(candidates, size, k)
        kept[row, :best], kept[row, best:] = candidates[:best], 0
        floors[row] = value_of(candidates[k - 1]) if best == k else np.float32(0)


class Together:
    """Counts of pairs of items, in a hash table for every item.

    Args:
        by_item: `(I + 1,)` int64 offsets and `(E,)` uint32 users, each once.
        by_user: `(U + 1,)` int64 offsets and `(E,)` uint32 items, each once.
    """

    def __init__(self, by_item: tuple[Any, Any], by_user: tuple[Any, Any]) -> None:
        items, self._end, done = len(by_item[0]) - 1, 0, 0
        self.tables = np.zeros((3, items), np.int64)
        self.keys, self.counts = (
            np.zeros(4 * EMPTY * items, np.uint32),
            np.zeros(4 * EMPTY * items, np.uint32),
        )
        while done < items:
            done, self._end = fill(by_item, by_user, self._end, self.tables, self.keys, self.counts, done)
            if done < items:
                self._widen()

    def add(self, item: int, others: Any) -> None:
        """One more user likes `item`, beside the `others` `(N,)`, none of which is `item`."""
        while len(others):
            args = (self._end, self.tables, self.keys, self.counts)
            done, self._end = add_like(item, others, *args)
            others = others[done:]
            if len(others):
                self._widen()

    def of(self, item: int) -> tuple[Any, Any]:
        """Keys and counts of an item's hash table; slots with key 0 are empty."""
        start, size = self.tables[:2, item]
        return self.keys[start : start + size], self.counts[start : start + size]

    def _widen(self) -> None:
        self.keys, self.counts = (grown(x, len(x) + 1) for x in (self.keys, self.counts))

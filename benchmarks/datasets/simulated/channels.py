"""How the logging policy finds candidates without a look at all items: lists, and places drawn in them."""

from __future__ import annotations

import numpy as np

from benchmarks.datasets.simulated.topics import Array, Random

NONE = -1
"""Of a draw that found nothing."""


class Newest:
    """The newest items of a group: an author, a quarter, a category.

    Args:
        group: Of each item, -1 for none, `(N,)`; items are oldest first.
    """

    def __init__(self, group: Array) -> None:
        self.items = len(group)
        keys = group.astype(np.int64) * self.items + np.arange(self.items)
        self.keys = np.sort(keys[group >= 0])

    def at(self, group: Array, visible: Array, offset: Array) -> Array:
        """The item of `group` that is `offset` before the newest one; arguments broadcast.

        Args:
            group: -1 finds nothing.
            visible: How many items are published by now.
            offset: 0 for the newest.
        """
        end = np.searchsorted(self.keys, group.astype(np.int64) * self.items + visible)
        place = end - 1 - offset
        key = self.keys[np.maximum(place, 0)] if len(self.keys) else np.full(place.shape, -1)
        found = (place >= 0) & (group >= 0) & (key // self.items == group)
        return np.where(found, key % self.items, NONE)


class Ranked:
    """The best items of each group by a score that was known when the lists were made.

    Args:
        group: Of each item, `(N,)`.
        score: Of each item, higher is better, `(N,)`.
        groups: How many groups there are.
    """

    def __init__(self, group: Array, score: Array, groups: int) -> None:
        # Two stable sorts of one key each are faster than one of two keys.
        best_first = np.argsort(-score, kind="stable")
        self.order = best_first[np.argsort(group[best_first], kind="stable")]
        counts = np.bincount(group, minlength=groups)
        self.start = np.cumsum(counts) - counts
        self.count = counts

    def draw(self, group: Array, chance: Array) -> Array:
        """An item of each group by the cube of a uniform `chance`, so the best come most often."""
        count = self.count[group]
        place = self.start[group] + (count * chance**3).astype(np.int64)
        return np.where(count > 0, self.order[np.minimum(place, len(self.order) - 1)], NONE)


class Shown:
    """Who was shown what in the last days: an hour per slot, as a Bloom filter of one hash.

    It never forgets too early; now and then it takes a pair for another one and drops a candidate.

    Args:
        pairs: How many are in it at a time, roughly.
        hours: For how long.
    """

    def __init__(self, pairs: int, hours: int) -> None:
        bits = min(max(int(np.ceil(np.log2(64 * max(pairs, 1)))), 12), 28)
        self.shift = np.uint64(64 - bits)
        self.hours = hours
        self.last = np.zeros(2**bits, dtype=np.uint16)

    def has(self, user: Array, item: Array, hour: int) -> Array:
        """Whether pairs were added within the last `hours`."""
        last = self.last[self._slot(user, item)]
        return (last > 0) & (hour - last.astype(np.int64) < self.hours)

    def add(self, user: Array, item: Array, hour: int) -> None:
        """Pairs shown in an hour, counted from 1."""
        self.last[self._slot(user, item)] = hour

    def _slot(self, user: Array, item: Array) -> Array:
        mixed = user.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + item.astype(np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        return mixed >> self.shift


def drawn_rows(weights: Array, rng: Random, count: int) -> Array:
    """`count` columns for each row in proportion to `weights (B, C)`."""
    edges = np.cumsum(weights, axis=1)
    chance = rng.random((len(weights), count)) * edges[:, -1:]
    return np.asarray(np.minimum((chance[:, :, None] > edges[:, None, :]).sum(axis=2), weights.shape[1] - 1))


def first_of_each(items: Array) -> Array:
    """False for what is further left in the same row already, and for what is none, `(B, K)`."""
    order = np.argsort(items, axis=1, kind="stable")
    found = np.take_along_axis(items, order, axis=1)
    again = np.zeros(items.shape, dtype=bool)
    np.put_along_axis(again, order[:, 1:], found[:, 1:] == found[:, :-1], axis=1)
    return np.asarray(~again & (items != NONE))

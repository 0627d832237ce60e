"""Who follows whom, and since when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.datasets.simulated.topics import Array, Random


@dataclass
class Follows:
    """Pairs of a user and an author, kept in order so that a look-up is a binary search.

    Attributes:
        authors: How many there are.
        keys: `user * authors + author`, ascending, `(F,)`.
        since: Seconds from which on it counts, `(F,)`.
    """

    authors: int
    keys: Array
    since: Array

    def has(self, user: Array, author: Array, times: Array) -> Array:
        """Whether users follow authors at some times; the arguments broadcast."""
        wanted = user.astype(np.int64) * self.authors + author
        if not len(self.keys):
            return np.zeros(np.broadcast_shapes(wanted.shape, times.shape), dtype=bool)
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.asarray((self.keys[place] == wanted) & (self.since[place] <= times))

    def draw(self, user: Array, rng: Random, count: int) -> Array:
        """Some authors that each user follows, -1 for who follows nobody, `(B, count)`."""
        start = np.searchsorted(self.keys, user * self.authors)
        stop = np.searchsorted(self.keys, (user + 1) * self.authors)
        place = start[:, None] + (rng.random((len(user), count)) * (stop - start)[:, None]).astype(np.int64)
        if not len(self.keys):
            return np.full(place.shape, -1)
        author = self.keys[np.minimum(place, len(self.keys) - 1)] % self.authors
        return np.where((stop > start)[:, None], author, -1)

    def add(self, user: Array, author: Array, since: Array) -> None:
        """New pairs; the first time counts where one is there twice, or already."""
        keys, first = np.unique(user.astype(np.int64) * self.authors + author, return_index=True)
        place = np.searchsorted(self.keys, keys)
        known = self.keys[np.minimum(place, max(len(self.keys) - 1, 0))] == keys if len(self.keys) else False
        new = np.broadcast_to(~np.asarray(known), keys.shape)
        place, keys, since = place[new], keys[new], since[first][new]
        self.keys, self.since = np.insert(self.keys, place, keys), np.insert(self.since, place, since)

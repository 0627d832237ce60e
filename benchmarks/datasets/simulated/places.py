"""Cities and their quarters: a city is a geohash of four letters, a quarter one of five."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.datasets.simulated.topics import Array, Random, choose

CITIES = 24
QUARTERS = 10
LETTERS = np.array(list("0123456789bcdefghjkmnpqrstuvwxyz"))
"""Of a geohash: any string of them is a place, and a longer one lies inside the shorter."""


@dataclass(frozen=True)
class Places:
    """Where people live.

    Attributes:
        geohash: Of each quarter, `(P,)`; quarter `p` is in city `p // QUARTERS`.
        weight: How many live there, `(P,)`.
    """

    geohash: Array
    weight: Array

    def draw(self, rng: Random, count: int) -> Array:
        """Quarters of `count` people."""
        return choose(rng, self.weight, count).astype(np.int16)


def draw_places(rng: Random) -> Places:
    """Few large cities and many small ones."""
    codes = rng.choice(len(LETTERS) ** 3, CITIES, replace=False)
    quarters = np.argsort(rng.random((CITIES, len(LETTERS))), axis=1)[:, :QUARTERS]
    digits = [np.full(CITIES, 28), codes // 1024, codes // 32 % 32, codes % 32]
    city = np.stack([LETTERS[digit] for digit in digits], axis=1)
    names = ["".join(city[place]) + LETTERS[last] for place in range(CITIES) for last in quarters[place]]
    share = (np.repeat(np.arange(2, CITIES + 2) ** -1.0, QUARTERS)) * rng.uniform(0.5, 1.5, CITIES * QUARTERS)
    return Places(np.array(names), share)


def nearness(home: Array, place: Array) -> Array:
    """1 in the same quarter, 0.5 in the same city, else 0 (nowhere is -1)."""
    same_city = (home // QUARTERS == place // QUARTERS) & (place >= 0)
    return np.where(home == place, 1.0, np.where(same_city, 0.5, 0.0))

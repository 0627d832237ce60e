"""What items are about and users care for: a two-level tree of categories, each a direction in a space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Random: TypeAlias = np.random.Generator

DIM = 16
"""Of the latent space."""
PARENTS = 12
CHILDREN = 6
CATEGORIES = PARENTS * CHILDREN
START = 1709251200
"""The first second of the log: 2024-03-01 00:00 UTC."""
HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True)
class Topics:
    """The categories.

    Attributes:
        vectors: Unit directions of the second level, `(C, D)`; siblings are near to each other.
        share: How much of everything is in each, `(C,)`.
        period: Seconds until fashion comes round again, `(C,)`.
        phase: Where in that round it is at the start, `(C,)`.
    """

    vectors: Array
    share: Array
    period: Array
    phase: Array

    def trend(self, categories: Array, times: Array) -> Array:
        """How much in fashion categories are, in log-odds of a click, at times that broadcast."""
        angle = (times - START) / self.period[categories] + self.phase[categories]
        return np.asarray(0.4 * np.sin(2 * np.pi * angle))


def unit(vectors: Array) -> Array:
    """Of length 1 along the last axis."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def draw_topics(rng: Random) -> Topics:
    """A tree of topics, with few large categories and many small ones."""
    parents = np.repeat(unit(rng.normal(size=(PARENTS, DIM))), CHILDREN, axis=0)
    share = rng.permutation(1 / np.arange(2, CATEGORIES + 2) ** 0.7)
    return Topics(
        vectors=unit(parents + 0.8 * unit(rng.normal(size=(CATEGORIES, DIM)))),
        share=share / share.sum(),
        period=rng.uniform(10, 40, CATEGORIES) * DAY,
        phase=rng.random(CATEGORIES),
    )


def choose(rng: Random, weights: Array, size: int | tuple[int, ...]) -> Array:
    """Indexes with probabilities in proportion to `weights`, by inversion: no table of all of them."""
    edges = np.cumsum(weights)
    place = np.searchsorted(edges, rng.random(size) * edges[-1], side="right")
    return np.asarray(np.minimum(place, len(weights) - 1))

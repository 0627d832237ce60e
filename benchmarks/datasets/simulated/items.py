"""Authors and what they publish."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.datasets.simulated.config import SimulationConfig
from benchmarks.datasets.simulated.places import Places
from benchmarks.datasets.simulated.topics import (
    CHILDREN,
    DAY,
    DIM,
    HOUR,
    PARENTS,
    START,
    Array,
    Random,
    Topics,
    choose,
    unit,
)

ITEMS_PER_AUTHOR = 8
NOISE = 0.5
"""Length of what an encoder adds to an item's true topic of length 1."""


@dataclass(frozen=True)
class Authors:
    """Who publishes.

    Attributes:
        category: Their field, `(A,)`.
        cell: Where they live, `(A,)`.
        weight: How much of all that is published is theirs, `(A,)`; heavy-tailed.
        quality: Standardised, `(A,)`.
    """

    category: Array
    cell: Array
    weight: Array
    quality: Array


@dataclass(frozen=True)
class Items:
    """What can be shown, oldest first: row numbers are an order in time. Latent: `topic` and `quality`.

    Attributes:
        author: `(N,)`.
        category: Of the second level, `(N,)`.
        cell: Where it is about, -1 for nowhere, `(N,)`.
        published: Seconds, ascending, `(N,)`.
        duration: Seconds to watch or read it, `(N,)`.
        video: Else a text, `(N,)`.
        quality: Standardised, `(N,)`.
        topic: Unit vector, `(N, D)`.
        content: What an encoder makes of the topic: turned, with noise, `(N, D)`.
    """

    author: Array
    category: Array
    cell: Array
    published: Array
    duration: Array
    video: Array
    quality: Array
    topic: Array
    content: Array

    def visible(self, times: Array) -> Array:
        """How many rows are published by then."""
        return np.searchsorted(self.published, times, side="right")


def draw_authors(config: SimulationConfig, topics: Topics, places: Places, rng: Random) -> Authors:
    """Authors, one for about eight items."""
    count = max(config.items // ITEMS_PER_AUTHOR, 2)
    return Authors(
        category=choose(rng, topics.share, count),
        cell=places.draw(rng, count),
        weight=rng.permutation(np.arange(5, count + 5) ** -0.8),
        quality=rng.normal(size=count),
    )


def draw_items(
    config: SimulationConfig, topics: Topics, authors: Authors, places: Places, turn: Array, rng: Random
) -> Items:
    """Items of authors, mostly in their author's field and about their author's place."""
    count = config.items
    author = choose(rng, authors.weight, count)
    category = np.where(
        rng.random(count) < 0.8, authors.category[author], choose(rng, topics.share, count)
    ).astype(np.int16)
    video = rng.random(count) < rng.uniform(0.3, 0.9, PARENTS)[category // CHILDREN]
    topic = unit(topics.vectors[category] + 0.6 * unit(rng.normal(size=(count, DIM)))).astype(np.float32)
    return Items(
        author=author.astype(np.int32),
        category=category,
        cell=np.where(rng.random(count) < 0.35, authors.cell[author], -1).astype(np.int16),
        published=_published(config, rng),
        duration=_durations(video, rng),
        video=video,
        quality=(0.6 * authors.quality[author] + 0.8 * rng.normal(size=count)).astype(np.float32),
        topic=topic,
        content=_encode(topic, turn, rng),
    )


def _encode(topic: Array, turn: Array, rng: Random) -> Array:
    """Rounded, so that another machine's last bit does not make another data set."""
    noise = NOISE * unit(rng.normal(size=topic.shape))
    return np.round(unit(topic @ turn + noise), 4).astype(np.float32)


def _published(config: SimulationConfig, rng: Random) -> Array:
    """A stock that grew over a year, then new items all day long with a daily rhythm.

    The new ones are at the quantiles of the rhythm, so that no hour goes without where there are enough.
    """
    new = round(config.items * config.new_items)
    age = np.minimum(rng.exponential(60 * DAY, config.items - new), 365 * DAY).astype(np.int64) + 1
    hours = np.arange(config.days * 24)
    edges = np.concatenate([[0], np.cumsum(1 + 0.4 * np.sin(2 * np.pi * (hours - 9) / 24))])
    places = (np.arange(new) + rng.random(new) * 0.5) / max(new, 1)
    ages_new = np.interp(places, edges / edges[-1], np.arange(len(edges)) * HOUR)
    return np.concatenate([np.sort(START - age), START + ages_new.astype(np.int64)])


def _durations(video: Array, rng: Random) -> Array:
    spread = rng.normal(size=len(video))
    seconds = np.where(video, 40 * np.exp(0.8 * spread), 30 * np.exp(0.6 * spread))
    return np.clip(seconds, 5, 900).astype(np.int32)

"""People: who they are, what they care for, where they live, whom they follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.datasets.simulated.config import SimulationConfig
from benchmarks.datasets.simulated.items import Authors
from benchmarks.datasets.simulated.places import Places
from benchmarks.datasets.simulated.topics import (
    CHILDREN,
    DAY,
    DIM,
    PARENTS,
    START,
    Array,
    Random,
    Topics,
    choose,
)

AGES = ("13-17", "18-24", "25-34", "35-44", "45-54", "55+")
AGE_SHARES = np.array([0.08, 0.24, 0.28, 0.2, 0.12, 0.08])
GENDERS = ("female", "male")
INTERESTS = 3
FOLLOWED = 3
"""Authors a user follows at the start, on average."""
LEVELS = np.array([0.55, 0.33, 0.12])
"""Shares of users of low, normal and high activity; those who register in the period are apart."""
RATES = np.array([1.0, 4.0, 12.0])
"""How often they come, relative to each other."""


@dataclass(frozen=True)
class Users:
    """What is known of users (`age`, `gender`, `cell`, `registered`) and what is not.

    Attributes:
        age: Index in `AGES`, `(U,)`.
        gender: Index in `GENDERS`, `(U,)`.
        cell: The quarter they live in, `(U,)`.
        registered: Seconds, `(U,)`.
        activity: How often they come, relative to each other, `(U,)`.
        interests: Categories of the second level, `(U, 3)`.
        weight: Log-weights of the interests at the start, `(U, 3)`.
        drift: What is added to them over the period, `(U, 3)`.
        taste: What of their interest is nobody else's, a vector, `(U, D)`.
        eager: How easily they click, in log-odds, `(U,)`.
        vocal: How easily they like, share or comment, `(U,)`.
    """

    age: Array
    gender: Array
    cell: Array
    registered: Array
    activity: Array
    interests: Array
    weight: Array
    drift: Array
    taste: Array
    eager: Array
    vocal: Array

    @property
    def group(self) -> Array:
        """Age and gender as one number, `(U,)`."""
        return self.age * len(GENDERS) + self.gender


def draw_users(config: SimulationConfig, topics: Topics, places: Places, rng: Random) -> Users:
    """Users in no order; whether somebody is new is independent of who they are."""
    count = config.users
    age = choose(rng, AGE_SHARES, count).astype(np.int8)
    gender = choose(rng, np.array([0.52, 0.48]), count).astype(np.int8)
    registered = _registered(config, rng)
    return Users(
        age=age,
        gender=gender,
        cell=places.draw(rng, count),
        registered=registered,
        activity=_activity(registered >= START, rng),
        interests=_interests(age * len(GENDERS) + gender, topics, rng),
        weight=rng.normal(0, 0.8, (count, INTERESTS)).astype(np.float32),
        drift=rng.normal(0, 0.8, (count, INTERESTS)).astype(np.float32),
        taste=rng.normal(0, 0.3 / np.sqrt(DIM), (count, DIM)).astype(np.float32),
        eager=rng.normal(0, 0.5, count).astype(np.float32),
        vocal=rng.normal(0, 0.7, count).astype(np.float32),
    )


def _registered(config: SimulationConfig, rng: Random) -> Array:
    """Over two years before the start, or, for a share of `new_users`, over the period but its last hours."""
    age = np.minimum(rng.exponential(200 * DAY, config.users), 730 * DAY).astype(np.int64) + 1
    late = (rng.random(config.users) * (config.days * DAY - DAY // 4)).astype(np.int64)
    return START + np.where(rng.random(config.users) < config.new_users, late, -age)


def _activity(new: Array, rng: Random) -> Array:
    level = RATES[choose(rng, LEVELS, len(new))]
    return np.where(new, 4.0, level) * np.exp(rng.normal(0, 0.6, len(new)))


def _interests(group: Array, topics: Topics, rng: Random) -> Array:
    """First a category by what people of an age and gender like, then one of those below it."""
    share = topics.share.reshape(PARENTS, CHILDREN)
    groups = len(AGES) * len(GENDERS)
    liking = np.exp(rng.normal(0, 1.0, (groups, PARENTS))) * share.sum(axis=1)
    edges = np.cumsum(liking / liking.sum(axis=1, keepdims=True), axis=1)
    chance = rng.random((len(group), INTERESTS))
    parent = sum(chance > edges[group, place, None] for place in range(PARENTS - 1))
    below = np.cumsum(share / share.sum(axis=1, keepdims=True), axis=1)
    chance = rng.random((len(group), INTERESTS))
    child = sum(chance > below[parent, place] for place in range(CHILDREN - 1))
    return np.asarray(parent * CHILDREN + child, dtype=np.int16)


def draw_follows(users: Users, authors: Authors, rng: Random) -> tuple[Array, Array]:
    """Pairs of a user and an author, once each: an author of a field of interest, or anybody known.

    Who registers during the period follows nobody at first.
    """
    old = users.registered < START
    often = rng.geometric(1 / (1 + FOLLOWED), len(old)) - 1
    user = np.repeat(np.arange(len(old)), np.where(old, often, 0))
    interest = users.interests[user, rng.integers(0, INTERESTS, len(user))]
    author = np.where(
        rng.random(len(user)) < 0.7,
        _of_field(interest, authors, rng),
        choose(rng, authors.weight, len(user)),
    )
    keys = np.unique(user * len(authors.weight) + author)
    return keys // len(authors.weight), keys % len(authors.weight)


def _of_field(category: Array, authors: Authors, rng: Random) -> Array:
    """An author of the category, those who publish much the most often; any where it has none."""
    order = np.lexsort((-authors.weight, authors.category))
    fields = authors.category[order]
    start, stop = np.searchsorted(fields, category), np.searchsorted(fields, category, side="right")
    place = start + ((stop - start) * rng.random(len(category)) ** 2).astype(np.int64)
    anybody = choose(rng, authors.weight, len(category))
    return np.where(stop > start, order[np.minimum(place, len(order) - 1)], anybody)

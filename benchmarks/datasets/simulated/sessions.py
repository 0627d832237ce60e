"""When people come, and for how long they stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.datasets.simulated.config import SimulationConfig
from benchmarks.datasets.simulated.topics import DAY, HOUR, START, Array, Random, choose
from benchmarks.datasets.simulated.users import Users

GAP = 3 * HOUR
"""Least time between the starts of two sessions of a user; a session is over long before."""
LONGEST = 120
"""Exposures of a session."""
MEAN_LENGTH = 23
"""About that many, by the numbers of `_lengths`."""
RHYTHM = np.array(
    [4, 2, 1, 1, 1, 2, 4, 7, 9, 8, 8, 9, 12, 11, 8, 8, 8, 9, 11, 13, 15, 15, 12, 8], dtype=np.float64
)
WEEKEND = 1.25
DEVICES = ("phone", "tablet", "desktop")
NETWORKS = ("wifi", "cellular")


@dataclass(frozen=True)
class Sessions:
    """Visits in order of their starts.

    Attributes:
        user: Row of the user, `(S,)`.
        start: Seconds, `(S,)`.
        length: Exposures, `(S,)`.
        device: Index in `DEVICES`, `(S,)`.
        network: Index in `NETWORKS`, `(S,)`.
    """

    user: Array
    start: Array
    length: Array
    device: Array
    network: Array


def draw_sessions(config: SimulationConfig, users: Users, rng: Random) -> Sessions:
    """As many sessions as it takes for all exposures; the last one drawn is cut to fit."""
    user, start, length = _drawn(config, users, rng)
    picked = rng.permutation(len(user))
    before = np.cumsum(length[picked]) - length[picked]
    picked = picked[before < config.exposures]
    length = np.minimum(length[picked], config.exposures - before[: len(picked)])
    order = np.argsort(start[picked], kind="stable")
    user, start, length = user[picked][order], start[picked][order], length[order]
    return Sessions(user, start, length, _devices(user, config.users, rng), _networks(start, rng))


def join(users: Users, sessions: Sessions, rng: Random) -> Array:
    """When users registered: those new in the period did so just before their first session."""
    first = np.full(len(users.registered), np.iinfo(np.int64).max)
    np.minimum.at(first, sessions.user, sessions.start)
    seen = (users.registered >= START) & (first < np.iinfo(np.int64).max)
    return np.where(seen, np.maximum(first - rng.integers(20, 300, len(first)), START), users.registered)


def _drawn(config: SimulationConfig, users: Users, rng: Random) -> tuple[Array, Array, Array]:
    """More sessions than needed, no two of a user too near, sorted by user and start."""
    end = START + config.days * DAY
    weight = users.activity * np.minimum((end - users.registered) / (config.days * DAY), 1.0)
    user, start, length = (np.zeros(0, dtype=np.int64) for _ in range(3))
    # Everybody comes once, where there is enough for that.
    more = np.arange(config.users if config.exposures > 2 * MEAN_LENGTH * config.users else 0)
    for _ in range(100):
        if length.sum() >= 1.05 * config.exposures:
            break
        if not len(more):
            more = choose(rng, weight, 64 + int((1.2 * config.exposures - length.sum()) / MEAN_LENGTH))
        user = np.concatenate([user, more])
        start = np.concatenate([start, _starts(config, users.registered[more], rng)])
        length = np.concatenate([length, _lengths(users.activity[more], rng)])
        order = np.lexsort((start, user))
        user, start, length = user[order], start[order], length[order]
        alone = np.concatenate([[True], (np.diff(user) > 0) | (np.diff(start) >= GAP)])
        user, start, length, more = user[alone], start[alone], length[alone], more[:0]
    return user, start, length


def _starts(config: SimulationConfig, registered: Array, rng: Random) -> Array:
    """By the hour of the day and the day of the week, not before somebody registered."""
    hours = np.arange(config.days * 24)
    # 2024-03-01 was a Friday, so days 1 and 2 are the first weekend.
    weight = RHYTHM[hours % 24] * np.where(np.isin(hours // 24 % 7, (1, 2)), WEEKEND, 1.0)
    weight[-2:] = 0  # Whoever comes has left by the end.
    edges = np.concatenate([[0.0], np.cumsum(weight)]) / weight.sum()
    seconds = np.arange(len(edges)) * HOUR
    earliest = np.interp(np.maximum(registered - START, 0), seconds, edges)
    chance = earliest + (1 - earliest) * rng.random(len(registered))
    return np.asarray(START + np.interp(chance, edges, seconds).astype(np.int64))


def _lengths(activity: Array, rng: Random) -> Array:
    """Log-normal; who comes often stays a little longer."""
    spread = rng.normal(size=len(activity))
    return np.clip(13 * activity**0.15 * np.exp(0.9 * spread), 1, LONGEST).astype(np.int64)


def _devices(user: Array, users: int, rng: Random) -> Array:
    """Mostly a user's own one."""
    own = choose(rng, np.array([0.8, 0.07, 0.13]), users)[user]
    other = rng.integers(0, len(DEVICES), len(user))
    return np.where(rng.random(len(user)) < 0.9, own, other).astype(np.int8)


def _networks(start: Array, rng: Random) -> Array:
    """On the way to and from work more often not at home."""
    hour = start // HOUR % 24
    away = np.where(np.isin(hour, (7, 8, 12, 17, 18)), 0.6, 0.3)
    return (rng.random(len(start)) < away).astype(np.int8)

"""Small random logs as plain rows, for tests that compute with loops what the library does with tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch

from zoo.data.encode import Encoder
from zoo.data.log import Log
from zoo.data.roles import BehaviourConfig, FeatureConfig, SchemaConfig
from zoo.data.snapshot import Snapshot
from zoo.data.split import Events

DAY = 86400
START = 1_000_000_000
ROLES = SchemaConfig(
    user={"age": FeatureConfig("numeric", bins=3), "job": FeatureConfig("categorical")},
    item={"year": FeatureConfig("numeric", bins=3), "genres": FeatureConfig("multi", length=2)},
    context={"hour": FeatureConfig("categorical"), "weekday": FeatureConfig("categorical")},
    behaviours={"watch": BehaviourConfig(), "like": BehaviourConfig("rating >= 4")},
)


class Event(NamedTuple):
    """One row of the events; user and item are raw ids."""

    user: str
    item: str
    time: int
    rating: float


@dataclass(frozen=True)
class World:
    """A log in plain Python; users and items are in the order of their ids."""

    events: tuple[Event, ...]
    users: dict[str, tuple[int, str]]
    items: dict[str, tuple[int, list[str]]]

    @property
    def log(self) -> Log:
        users, items = list(self.users.values()), list(self.items.values())
        columns = map(list, zip(*self.events, strict=True))
        return Log.of(
            pa.table(dict(zip(("user_id", "item_id", "time", "rating"), columns, strict=True))),
            pa.table({"user_id": [*self.users], "age": [u[0] for u in users], "job": [u[1] for u in users]}),
            pa.table(
                {"item_id": [*self.items], "year": [i[0] for i in items], "genres": [i[1] for i in items]}
            ),
        )

    def keeping(self, events: Sequence[Event]) -> World:
        return replace(self, events=tuple(events))

    def item(self, raw: str) -> int:
        """The dense id of an item."""
        return 1 + sorted(self.items).index(raw)

    def encoder(self, cut: int) -> Encoder:
        events = Events.of(self.log, ROLES)
        known = (events.before(cut) > events.offsets[:-1]).nonzero().squeeze(1)
        return Encoder.fit(self.log, ROLES, known)

    def snapshot(self, cut: int, history_length: int = 6) -> Snapshot:
        return Snapshot.at(self.log, Events.of(self.log, ROLES), self.encoder(cut), cut, history_length)


def world(seed: int, users: int = 7, items: int = 9, events: int = 60) -> World:
    """Few moments in time, so that there are ties; items come again; the last user does nothing at all."""
    draw = np.random.default_rng(seed)
    keys = {
        (f"u{draw.integers(users - 1)}", f"i{draw.integers(items)}", START + DAY * 2 * int(draw.integers(20)))
        for _ in range(events)
    }
    return World(
        tuple(Event(*key, float(draw.integers(1, 6))) for key in sorted(keys)),
        {f"u{u}": (int(draw.integers(10, 80)), "abc"[draw.integers(3)]) for u in range(users)},
        {
            f"i{i}": (
                int(draw.integers(1950, 2000)),
                [g for g in ("Drama", "War", "Comedy") if draw.random() < 0.5],
            )
            for i in range(items)
        },
    )


def mix(user: int, item: int, seed: int) -> int:
    """SplitMix64 (Steele et al., OOPSLA 2014) of user and item, in Python's own integers."""
    mask = 2**64 - 1
    x = ((user << 32) + item + (seed + 1) * 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


def ordered(world: World, user: str, seed: int = 0) -> list[Event]:
    """A user's events, oldest first, ties by hash."""
    row = sorted(world.users).index(user)
    own = [event for event in world.events if event.user == user]
    return sorted(own, key=lambda event: (event.time, mix(row, world.item(event.item), seed)))


def padded_ids(rows: Sequence[Sequence[int]], width: int | None = None) -> torch.Tensor:
    """`(N, width)` rows padded with 0 behind."""
    width = max(map(len, rows), default=0) if width is None else width
    padded = [[*row, *[0] * (width - len(row))] for row in rows]
    return torch.tensor(padded, dtype=torch.int64).reshape(len(rows), width)

"""Events in their one true order, cut points in time, and the requests of a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from zoo.core.errors import UserError, did_you_mean
from zoo.data.log import Log
from zoo.data.roles import SchemaConfig

Vector: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


@dataclass(frozen=True)
class Events:
    """All events, sorted by (user, time, seeded hash), as flat tensors with one range per user.

    Attributes:
        row: `(E,)` row of the user in the log's table of users.
        item: `(E,)` dense item ids, 1..n_items.
        time: `(E,)` seconds since 1970 UTC.
        offsets: `(U + 1,)` user r has the events `offsets[r]:offsets[r + 1]`.
        flags: `(E,)` bool by behaviour: whether the event counts as it.
    """

    row: Tensor
    item: Tensor
    time: Tensor
    offsets: Tensor
    flags: Mapping[str, Tensor]

    @classmethod
    def of(cls, log: Log, roles: SchemaConfig, seed: int = 0) -> Events:
        """Orders the log; events of one user at one time come in the order of a hash seeded with `seed`.

        The hash sees user and item only, so the order can leak neither label nor file position.
        """
        row = _codes(log.users["user_id"], log.events["user_id"])
        item = _codes(log.items["item_id"], log.events["item_id"]) + 1
        time = log.events["time"].to_numpy()
        order = np.lexsort((tie_hash(row, item, seed), time, row))
        offsets = np.searchsorted(row[order], np.arange(log.users.num_rows + 1))
        flags = {name: _flag(log, b.column, b.at_least) for name, b in roles.behaviours.items()}
        return cls(
            torch.from_numpy(row[order]),
            torch.from_numpy(item[order]),
            torch.from_numpy(time[order]),
            torch.from_numpy(offsets),
            {name: torch.from_numpy(flag[order]) for name, flag in flags.items()},
        )

    @cached_property
    def compact(self) -> dict[str, tuple[Tensor, Tensor]]:
        """By behaviour: how many of its events come before each index, `(E + 1,)`, and their items."""
        none = torch.zeros(1, dtype=torch.int64)
        before = {name: torch.cat([none, flag.cumsum(0)]) for name, flag in self.flags.items()}
        return {name: (before[name], self.item[flag]) for name, flag in self.flags.items()}

    def cut(self, share: float) -> int:
        """The time before which `share` of all events lie; events at the cut itself come after it."""
        place = int(len(self.time) * share)
        if place < len(self.time):
            return int(self.time.sort().values[place])
        return int(self.time.max()) + 1 if len(self.time) else 0

    def before(self, time: int) -> Tensor:
        """`(U,)` end of each user's events before `time`."""
        running = torch.cat([torch.zeros(1, dtype=torch.int64), (self.time < time).cumsum(0)])
        return self.offsets[:-1] + running[self.offsets[1:]] - running[self.offsets[:-1]]


@dataclass(frozen=True)
class Requests:
    """Moments at which a user asks for items: the history ends at `end`, what followed ends at `stop`.

    Attributes:
        row: `(N,)` user row.
        end: `(N,)` index of the first event that is not history.
        stop: `(N,)` index behind the last event that counts as an answer.
        time: `(N,)` when the request happens, the time of its first later event.
        new: `(N,)` bool, True where the user has no event before the window.
    """

    row: Tensor
    end: Tensor
    stop: Tensor
    time: Tensor
    new: Tensor

    def __len__(self) -> int:
        return len(self.row)

    def take(self, index: Tensor) -> Requests:
        """The requests at `index`."""
        return Requests(*(getattr(self, name)[index] for name in ("row", "end", "stop", "time", "new")))


def window(events: Events, start: int, stop: int, share: float = 0.5) -> Requests:
    """One request for each user with events in `[start, stop)`.

    The history is all before the window and the first `share` (rounded down) of the user's events in it.
    """
    first, last = events.before(start), events.before(stop)
    row = (last > first).nonzero().squeeze(1)
    first, last = first[row], last[row]
    end = first + ((last - first) * share).long()
    return Requests(row, end, last, events.time[end], first == events.offsets[row])


def every_event(events: Events, stop: int) -> Requests:
    """A request at each event before `stop`, whose one answer is that event: what a retriever trains on."""
    end = (events.time < stop).nonzero().squeeze(1)
    row = events.row[end]
    return Requests(row, end, end + 1, events.time[end], end == events.offsets[row])


def padded(
    values: Tensor, start: Tensor, stop: Tensor, length: int | None = None, newest: bool = False
) -> Tensor:
    """`(N, length)` the values of each range `[start, stop)`, padded with 0 behind.

    Args:
        values: `(E,)`, flat.
        start: `(N,)`.
        stop: `(N,)`.
        length: Columns; by default as many as the longest range needs.
        newest: Last value first, so that a range longer than `length` loses its oldest.
    """
    longest = int((stop - start).max()) if len(start) else 0
    step = torch.arange(longest if length is None else length)
    index = stop[:, None] - 1 - step if newest else start[:, None] + step
    inside = (index >= start[:, None]) & (index < stop[:, None])
    if not len(values):
        return torch.zeros(index.shape, dtype=values.dtype)
    return torch.where(inside, values[index.clamp(0, len(values) - 1)], torch.zeros((), dtype=values.dtype))


def tie_hash(row: Vector, item: Vector, seed: int) -> Vector:
    """`(E,)` uint64, a splitmix64 hash of user and item: a fixed order without meaning."""
    x = (row.astype(np.uint64) << np.uint64(32)) + item.astype(np.uint64)
    x = x + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def _codes(table: pa.ChunkedArray, values: pa.ChunkedArray) -> Vector:
    return pc.index_in(values, value_set=table.combine_chunks()).to_numpy().astype(np.int64)


def _flag(log: Log, column: str, at_least: float) -> Vector:
    if not column:
        return np.ones(log.events.num_rows, dtype=bool)
    if column not in log.events.column_names:
        names = log.events.column_names
        raise UserError(f"behaviours: the events have no column {column!r}{did_you_mean(column, names)}")
    return log.events[column].to_numpy() >= at_least

"""Events in their one true order, cut points in time, and the requests of a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from zoo.data.log import NOBODY, Log
from zoo.data.marks import flags_of, requests_of, tensor_of, values_of
from zoo.data.roles import SchemaConfig


@dataclass(frozen=True)
class Events:
    """All events, sorted by (user, time, seeded hash), as flat tensors with one range per user.

    Attributes:
        row: `(E,)` row of the user in the log's table of users.
        item: `(E,)` dense item ids, 1..n_items.
        time: `(E,)` seconds since 1970 UTC.
        offsets: `(U + 1,)` user r has the events `offsets[r]:offsets[r + 1]`.
        flags: `(E,)` bool by behaviour: whether the event counts as it.
        values: `(E,)` float by explicit behaviour, NaN where it has no number.
        request: `(E,)` the first event of the request of each, itself where it is alone; None where all are.
        nameless: Whether the log names no user, so that the events of its one user are nobody's history.
    """

    row: Tensor
    item: Tensor
    time: Tensor
    offsets: Tensor
    flags: Mapping[str, Tensor]
    values: Mapping[str, Tensor] = field(default_factory=dict)
    request: Tensor | None = None
    nameless: bool = False

    @classmethod
    def of(cls, log: Log, roles: SchemaConfig) -> Events:
        """The log's events in its order: by user, time, and a seeded hash of user and item.

        The hash sees nothing else, so the order of a moment can leak neither label nor file position.
        """
        table = log.events
        row, item, time = (tensor_of(table[name]) for name in ("user", "item", "time"))
        offsets = torch.searchsorted(row, torch.arange(log.users.num_rows + 1, dtype=row.dtype))
        flags, values = flags_of(table, roles), values_of(table, roles)
        request = requests_of(table, exposed=roles.behaviours[roles.base].kind == "exposure")
        nameless = log.users["user_id"].to_pylist() == [NOBODY] if log.users.num_rows == 1 else False
        return cls(row.long(), item.long() + 1, time, offsets, flags, values, request, nameless)

    @cached_property
    def compact(self) -> dict[str, tuple[Tensor, Tensor]]:
        """By behaviour: how many of its events come before each index, `(E + 1,)`, and their items."""
        none = torch.zeros(1, dtype=torch.int64)
        before = {name: torch.cat([none, flag.cumsum(0)]) for name, flag in self.flags.items()}
        return {name: (before[name], self.item[flag]) for name, flag in self.flags.items()}

    @cached_property
    def places(self) -> dict[str, Tensor]:
        """By behaviour: where its events are among all, counted from 1, as 0 is padding."""
        return {name: flag.nonzero().squeeze(1) + 1 for name, flag in self.flags.items()}

    @cached_property
    def between(self) -> Tensor:
        """`(E,)` the last index at or before each where no request lies on both sides of it.

        Requests of one moment are mixed by the hash, so the first event of a request may be inside another.
        """
        index = torch.arange(len(self.time))
        if self.request is None:
            return index
        first = self.request.flip(0).cummin(0).values.flip(0)
        return torch.where(first == index, index, 0).cummax(0).values

    def cut(self, share: float) -> int:
        """The time before which `share` of all events lie; events at the cut itself come after it."""
        place = int(len(self.time) * share)
        if place < len(self.time):
            return int(self.time.sort().values[place])
        return int(self.time.max()) + 1 if len(self.time) else 0

    def past(self, index: Tensor) -> Tensor:
        """`(N,)` where the history of the events at `index` ends: before the first of their request."""
        if self.nameless:
            return self.offsets[self.row[index]]
        return index if self.request is None else self.request[index]

    def earlier(self, index: Tensor, stop: Tensor) -> Tensor:
        """`(N,)` end of the user's events before `stop` `(U,)` that are earlier than those at `index`.

        It is for splits that lay the parts of a user one after another, each in the order of time: the
        history of an event of a later part lies far before it.
        """
        first = self.offsets[self.row[index]]
        if self.nameless or not len(self.time):
            return first
        start, known = self.time.min(), self.known(stop)
        key = self.row * (self.time.max() - start + 1) + self.time - start
        others = torch.cat([torch.zeros(1, dtype=torch.int64), known.cumsum(0)])[first]
        return first + torch.searchsorted(key[known], key[index]) - others

    def known(self, stop: Tensor) -> Tensor:
        """`(E,)` bool, the events before each user's `stop` `(U,)`."""
        return torch.arange(len(self.time)) < stop[self.row]

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
        asked: `(N,)` index of the first event that counts as an answer, where that is not `end`.
    """

    row: Tensor
    end: Tensor
    stop: Tensor
    time: Tensor
    new: Tensor
    asked: Tensor | None = None

    def __len__(self) -> int:
        return len(self.row)

    def take(self, index: Tensor) -> Requests:
        """The requests at `index`."""
        asked = None if self.asked is None else self.asked[index]
        row, end, stop = self.row[index], self.end[index], self.stop[index]
        return Requests(row, end, stop, self.time[index], self.new[index], asked)

    @property
    def first(self) -> Tensor:
        """`(N,)` index of the first event that counts as an answer, whose moment it is."""
        return self.end if self.asked is None else self.asked


def window(events: Events, start: int, stop: int, share: float = 0.5) -> Requests:
    """One request for each user with events in `[start, stop)`.

    The history is all before the window and the first `share` (rounded down) of the user's events in it, but
    for those of a request that would be split: all of it counts as an answer.
    """
    first, last = events.before(start), events.before(stop)
    row = (last > first).nonzero().squeeze(1)
    first, last = first[row], last[row]
    end = first + ((last - first) * share).long()
    end = events.between[end].maximum(first)
    return Requests(row, end, last, events.time[end], first == events.offsets[row])


def every_event(events: Events, stop: Tensor) -> Requests:
    """A request at each event before its user's `stop` `(U,)`, with that event as its one answer.

    Its history holds no event of its own request: one that was shown beside it is no past.
    """
    index = events.known(stop).nonzero().squeeze(1)
    row, end = events.row[index], events.past(index)
    return Requests(row, end, index + 1, events.time[index], end == events.offsets[row], index)


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
    if longest < 1:  # as all histories of a table without times are
        return torch.zeros(len(start), length or 0, dtype=values.dtype)
    step = torch.arange(longest if length is None else length)
    index = stop[:, None] - 1 - step if newest else start[:, None] + step
    inside = (index >= start[:, None]) & (index < stop[:, None])
    return torch.where(inside, values[index.clamp(0, len(values) - 1)], torch.zeros((), dtype=values.dtype))

"""What may be known and what is measured, for each kind of split."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Protocol

import torch
from torch import Tensor

from benchmarks.parts import TEST, VALIDATION
from benchmarks.protocols import CandidatesConfig, ProtocolConfig
from benchmarks.split_configs import FixedSplit, LeaveOneOut, TimeSplit, WindowSplit
from zoo.data.log import Log
from zoo.data.snapshot import DAY
from zoo.data.split import Events, Requests, every_event, window


@dataclass(frozen=True)
class Moment:
    """How much is known: the events of each user before `stop`.

    Attributes:
        name: The same for the same split of the same data, so that what was fitted then is found again.
        stop: `(U,)` end of each user's events.
        time: The time as of which ages and recent counts are, seconds since 1970 UTC.
    """

    name: str
    stop: Tensor
    time: int


class Split(Protocol):
    """One way to split a log."""

    @property
    def measured(self) -> Moment:
        """What models may know that answer the measured requests."""

    def requests(self) -> Requests:
        """The measured requests."""

    def earlier(self) -> list[tuple[Moment, Requests]]:
        """Requests before the measured ones and what was known then: what models after recall train on."""

    def until(self) -> Tensor:
        """`(U,)` end of each user's measured events; they begin where the known ones stop."""

    def past(self, index: Tensor) -> Tensor:
        """`(N,)` where the history of the events at `index` ends when each is asked for on its own."""


@dataclass(frozen=True)
class InTime:
    """One cut in time for everybody; between cuts lie windows, a request for each user in each.

    Attributes:
        events: All events.
        cuts: Name and time of the starts of the windows for training, and of the measured window.
        end: Where the measured window ends.
        share: Of a window's events that its requests may look back on.
    """

    events: Events
    cuts: list[tuple[str, int]]
    end: int
    share: float

    @property
    def measured(self) -> Moment:
        """As of the start of the measured window."""
        return self._moment(*self.cuts[-1])

    def requests(self) -> Requests:
        """A request for each user with events in the measured window."""
        return window(self.events, self.cuts[-1][1], self.end, self.share)

    def earlier(self) -> list[tuple[Moment, Requests]]:
        """The windows before it."""
        stops = [cut for _, cut in self.cuts[1:]]
        return [
            (self._moment(name, cut), window(self.events, cut, stop, self.share))
            for (name, cut), stop in zip(self.cuts[:-1], stops, strict=True)
        ]

    def until(self) -> Tensor:
        """Up to the end of the measured window."""
        return self.events.before(self.end)

    def past(self, index: Tensor) -> Tensor:
        """Right before each request, later than the cut too: features are as of the request."""
        return self.events.past(index)

    def _moment(self, name: str, cut: int) -> Moment:
        return Moment(name, self.events.before(cut), cut)


@dataclass(frozen=True)
class ByUser:
    """A place in each user's events, where those to predict begin; times are no guide.

    Attributes:
        events: All events.
        name: Of the split, with all that shapes it.
        stop: `(U,)` where the measured events of each user begin.
        end: `(U,)` where they end.
        before: `(U,)` where those of the part before begin, if it can be trained on.
        each: Whether every measured event but a user's first is a request of its own.
    """

    events: Events
    name: str
    stop: Tensor
    end: Tensor
    before: Tensor | None = None
    each: bool = False

    @property
    def measured(self) -> Moment:
        """All that is not measured, whenever it happened."""
        return self._moment(self.name, self.stop)

    def requests(self) -> Requests:
        """A request for each user with measured events, all of them its answers; or one at each event."""
        if not self.each:
            return self._requests(self.stop, self.end)
        asked = every_event(self.events, self.end)
        return asked.take((asked.end >= self.stop[asked.row]) & ~asked.new)

    def earlier(self) -> list[tuple[Moment, Requests]]:
        """The part before, where there is one."""
        if self.before is None:
            return []
        return [(self._moment(f"{self.name}, before", self.before), self._requests(self.before, self.stop))]

    def until(self) -> Tensor:
        """Up to where the measured part ends."""
        return self.end

    def past(self, index: Tensor) -> Tensor:
        """What is for training and earlier in time: nothing where there are no times."""
        return self.events.earlier(index, self.stop)

    def _requests(self, stop: Tensor, end: Tensor) -> Requests:
        row = (end > stop).nonzero().squeeze(1)
        stop, first = stop[row], self.events.offsets[row]
        past = stop if self.events.request is None else self.events.request[stop].maximum(first)
        return Requests(row, past, end[row], self.events.time[stop], past == first, stop)

    def _moment(self, name: str, stop: Tensor) -> Moment:
        known = self.events.time[self.events.known(stop)]
        return Moment(name, stop, int(known.max()) + 1 if len(known) else 0)


def split_of(protocol: ProtocolConfig, events: Events, log: Log) -> Split:
    """The split that a protocol describes, of a log that is `ready` for it."""
    split, testing = protocol.split, protocol.window == "test"
    if isinstance(split, TimeSplit):
        return _time(split, protocol, events)
    if isinstance(split, WindowSplit):
        return _windows(split, protocol, events)
    if isinstance(split, LeaveOneOut):
        last = (events.offsets[1:] - (1 if testing else 2)).maximum(events.offsets[:-1])
        before = (last - 1).maximum(events.offsets[:-1])
        name = f"leave one out, {protocol.window}"
        # Who has too few events is for training only.
        few = events.offsets[1:] - events.offsets[:-1] < 3
        return ByUser(
            events, name, torch.where(few, events.offsets[1:], last), _end(last, few, events), before
        )
    parts = torch.from_numpy(log.events["split"].to_numpy().copy())
    part = TEST if testing else VALIDATION
    stop, end = (events.offsets[:-1] + _count(events, parts < limit) for limit in (part, part + 1))
    each = isinstance(split, FixedSplit) and split.requests == "event"
    return ByUser(events, f"{split.kind}, {protocol.window}, {split}", stop, end, each=each)


def _end(last: Tensor, few: Tensor, events: Events) -> Tensor:
    return torch.where(few, events.offsets[1:], last + 1)


def _count(events: Events, mask: Tensor) -> Tensor:
    """`(U,)` events of each user where `mask` `(E,)`."""
    return torch.bincount(events.row[mask], minlength=len(events.offsets) - 1)


def _time(split: TimeSplit, protocol: ProtocolConfig, events: Events) -> InTime:
    share = split.train if protocol.window == "validation" else split.train + split.validation
    earlier = protocol.candidates.cuts if isinstance(protocol.candidates, CandidatesConfig) else []
    shares = [cut for cut in sorted(earlier) if cut < share] + [share]
    stop = share + (split.validation if protocol.window == "validation" else 1)
    cuts = [(f"{one:g}", events.cut(one)) for one in shares]
    return InTime(events, cuts, events.cut(stop), protocol.history_share)


def _windows(split: WindowSplit, protocol: ProtocolConfig, events: Events) -> InTime:
    starts = split.test if protocol.window == "test" else split.validation
    start, span = day(starts[protocol.fold or 0]), split.days * DAY
    back = range(split.earlier, -1, -1)
    cuts = [(f"{start - n * span} ({split.days} d)", start - n * span) for n in back]
    return InTime(events, cuts, start + span, protocol.history_share)


def day(text: str) -> int:
    """The first second of a day such as 2001-05-27, in UTC."""
    return int(datetime.combine(date.fromisoformat(text), time(), UTC).timestamp())

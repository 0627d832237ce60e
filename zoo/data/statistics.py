"""How often something happened before a moment: counts and smoothed rates as of any time, for any key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.schema import Role
from zoo.core.types import Batch
from zoo.data.split import Events

PRIOR_EVENTS = 5.0
"""Smoothed rates start from the overall rate with the weight of this many events."""
_UNITS = {"d": 86400, "h": 3600, "m": 60}


def window_seconds(window: str) -> int | None:
    """The length of a window such as `30d`, `12h` or `90m`; None for `all`, which has no beginning.

    Raises:
        UserError: It is none of these.
    """
    if window == "all":
        return None
    if found := re.fullmatch(r"([1-9][0-9]{0,4})([dhm])", str(window)):
        return int(found[1]) * _UNITS[found[2]]
    expected = "a whole number from 1 to 99999 and a unit (30d, 12h, 90m), or all"
    raise UserError(f"statistics.windows: expected {expected}, found {window!r}")


@dataclass(frozen=True)
class Counter:
    """How often each key had an event of each behaviour in a window before a moment.

    Attributes:
        codes: `(E,)` sorted: an event's key, its time and its flags as bits, in one number. So the sort moves
            nothing else, and one search finds a moment of a key.
        before: `(E + 1,)` by behaviour: how many of the codes before each index have its flag.
        n_keys: All keys in the codes are below it.
        ranks: `(n_keys,)` what the keys in the codes stand for, None where for themselves.
        start: The first time; `stop` is behind the last.
    """

    codes: Tensor
    before: Mapping[str, Tensor]
    n_keys: int
    ranks: Tensor | None
    start: int
    stop: int

    @classmethod
    def of(cls, key: Tensor, time: Tensor, flags: Mapping[str, Tensor]) -> Counter:
        """Counts events, in any order.

        Args:
            key: `(E,)` int64; events with a negative key are left out.
            time: `(E,)` int64 seconds.
            flags: `(E,)` bool by behaviour.

        Raises:
            UserError: Keys, times and behaviours are more than 64 bits can tell apart.
        """
        known = key >= 0
        if not known.all():
            key, time, flags = key[known], time[known], {name: flag[known] for name, flag in flags.items()}
        start, stop = (int(time.min()), int(time.max()) + 1) if len(time) else (0, 0)
        n_keys, ranks = int(key.max()) + 1 if len(key) else 0, None
        room = 2**63 // (stop - start + 1) >> len(flags)
        if n_keys >= room:
            ranks, key = key.unique(return_inverse=True)
            n_keys = len(ranks)
        if n_keys >= room:
            what = f"{n_keys} keys over {stop - start} seconds with {len(flags)} behaviours"
            raise UserError(f"statistics: {what} are too many to count; leave out a cross or a behaviour")
        codes = (key * (stop - start + 1)).add_(time).sub_(start)
        for flag in flags.values():
            codes.bitwise_left_shift_(1).bitwise_or_(flag)
        # NumPy's sort is several times faster than torch's.
        codes.numpy().sort()
        before = {name: _running(codes, bit) for bit, name in enumerate(reversed(list(flags)))}
        return cls(codes, before, n_keys, ranks, start, stop)

    def count(self, key: Tensor, time: Tensor, windows: Iterable[int | None]) -> dict[str, Tensor]:
        """Counts a key's events strictly before `time` and at or after `time - window`, None for all before.

        Both are `(…)` int64 and broadcast; a key without events, such as -1, counts 0. What returns is
        `(windows, …)` int32 by behaviour, and of all events under the name "".
        """
        edges = [torch.full_like(time, self.start) if window is None else time - window for window in windows]
        # The moments of one key stand side by side, so that a search finds what it needs still in the cache.
        moment = torch.stack([time, *edges], dim=-1).clamp_(self.start, self.stop)
        code = self._place(key)[..., None] * (self.stop - self.start + 1) + moment - self.start
        found = torch.searchsorted(self.codes, code << len(self.before))
        running = {"": found.int(), **{name: before.take(found) for name, before in self.before.items()}}
        return {name: (x[..., :1] - x[..., 1:]).movedim(-1, 0) for name, x in running.items()}

    def _place(self, key: Tensor) -> Tensor:
        """The key in the codes, `n_keys` for one that has no events."""
        if self.ranks is None:
            return key.where((key >= 0) & (key < self.n_keys), self.n_keys)
        place = torch.searchsorted(self.ranks, key)
        return place.where(self.ranks[place.clamp(max=self.n_keys - 1)] == key, self.n_keys)


@dataclass(frozen=True)
class Statistics:
    """Columns of user, item and user × category as of any moment, from events strictly before it.

    Names are `user_count:<window>` and `user_rate:<task>:<window>`, `item_…` and `user_<item feature>_…`.
    Counts are log(1 + count); those of items are log(1 + count / mean count of the items seen before the
    moment), which does not drift as the log grows. A rate is (events of the task + 5 · prior) / (events of
    what it is given + 5); the prior is their share in all events before the moment, 0.5 where there is none.

    Attributes:
        windows: Seconds by name, None for everything before.
        given: By task, the behaviour among whose events its rate is counted, "" for all events.
        overall: All events under the key 0; likewise `users` by row and `items` by id.
        crosses: By item feature, events by user row and category.
        vocab: By item feature, the number of categories with 0.
        first: When each item had its first event, sorted.
    """

    windows: Mapping[str, int | None]
    given: Mapping[str, str]
    overall: Counter
    users: Counter
    items: Counter
    crosses: Mapping[str, Counter]
    vocab: Mapping[str, int]
    first: Tensor

    @classmethod
    def of(
        cls, events: Events, windows: Sequence[str], given: Mapping[str, str], crosses: Mapping[str, Tensor]
    ) -> Statistics:
        """Sorts the events once for every kind of key.

        Args:
            events: What to count.
            windows: Such as `30d`, see `window_seconds`.
            given: The tasks, each with the behaviour that it is given, "" for every event; an event counts as
                a task only where it is also what the task is given.
            crosses: By item feature, all items' distinct values, `(n_items + 1,)` or `(n_items + 1, M)`.
        """
        names = dict.fromkeys((*given, *filter(None, given.values())))
        flags = {name: _holds(name, given, events.flags) for name in names}
        # What every event is needs no counting of its own.
        given = {task: "" if not on or flags[on].all() else on for task, on in given.items()}
        flags = {name: flags[name] for name in names if name in given or name in given.values()}
        vocab = {name: int(ids.max()) + 1 for name, ids in crosses.items()}
        return cls(
            {name: window_seconds(name) for name in windows},
            given,
            Counter.of(torch.zeros_like(events.row), events.time, flags),
            Counter.of(events.row, events.time, flags),
            Counter.of(events.item, events.time, flags),
            {name: _crossed(events, ids, vocab[name], flags) for name, ids in crosses.items()},
            vocab,
            _first(events),
        )

    def user(self, row: Tensor, time: Tensor) -> Batch:
        """`(N,)` columns of the users at `row` `(N,)` as of `time` `(N,)`; a row of -1 is a new user."""
        counts = self.users.count(row, time, self.windows.values())
        return self._columns("user", counts[""].float(), counts, time)

    def item(self, ids: Tensor, time: Tensor) -> Batch:
        """Columns of items as of `time` `(N,)`, in the shape of `ids`, `(N,)` or `(N, K)`, padded with 0."""
        time = time if ids.dim() == 1 else time[:, None]
        counts = self.items.count(ids, time, self.windows.values())
        total = self.overall.count(torch.zeros_like(time), time, self.windows.values())[""]
        mean = total / torch.searchsorted(self.first, time).clamp(min=1)
        # Where nothing has happened the mean is 0, and so is every count.
        return self._columns("item", counts[""] / mean.where(mean > 0, 1.0), counts, time)

    def cross(self, name: str, row: Tensor, ids: Tensor, time: Tensor) -> Batch:
        """`(N, K)` columns of the users at `row` `(N,)` and the categories of candidates as of `time` `(N,)`.

        `ids`, `(N, K)` or `(N, K, M)` padded with 0, are the candidates' values of the item feature `name`;
        the counts of several are added up before all else.
        """
        ids, vocab = ids if ids.dim() == 3 else ids[..., None], self.vocab[name]
        flat = ids.where((ids > 0) & (ids < vocab), 0).flatten(1)
        # Candidates share categories: where there are few, each is looked up once.
        once = vocab < flat.shape[1]
        keys = row[:, None] * vocab + (torch.arange(vocab) if once else flat)
        counts = self.crosses[name].count(keys, time[:, None], self.windows.values())
        if once:
            counts = {n: x.gather(2, flat.expand(len(x), *flat.shape)) for n, x in counts.items()}
        counts = {n: x.unflatten(2, ids.shape[1:]).sum(-1) for n, x in counts.items()}
        return self._columns(f"user_{name}", counts[""].float(), counts, time[:, None])

    @property
    def features(self) -> tuple[tuple[str, Role, str], ...]:
        """Name, role and, of a cross, the item feature of every column."""
        kinds: list[tuple[str, Role, str]] = [("user", "user", ""), ("item", "item_stat", "")]
        kinds += [(f"user_{name}", "cross", name) for name in self.crosses]
        return tuple((name, role, of) for prefix, role, of in kinds for name in self._names(prefix))

    def _names(self, prefix: str) -> list[str]:
        kinds = ["count", *(f"rate:{task}" for task in self.given)]
        return [f"{prefix}_{kind}:{window}" for kind in kinds for window in self.windows]

    def _columns(self, prefix: str, size: Tensor, counts: Mapping[str, Tensor], time: Tensor) -> Batch:
        """The columns from `(windows, …)` counts, `size` being those of all events in the right unit."""
        columns = [*size.log1p()]
        overall = self.overall.count(torch.zeros_like(time), time, [None])
        for task, on in self.given.items():
            prior = (overall[task][0] / overall[on][0]).nan_to_num(0.5)
            columns += (counts[task] + PRIOR_EVENTS * prior) / (counts[on] + PRIOR_EVENTS)
        return dict(zip(self._names(prefix), columns, strict=True))


def _running(codes: Tensor, bit: int) -> Tensor:
    before = torch.zeros(len(codes) + 1, dtype=torch.int32)
    torch.cumsum(codes & (1 << bit) != 0, 0, dtype=torch.int32, out=before[1:])
    return before


def _holds(task: str, given: Mapping[str, str], flags: Mapping[str, Tensor]) -> Tensor:
    """`(E,)` whether an event is the task and all that it is given."""
    flag = flags[task]
    for _ in given:
        task = given.get(task, "")
        flag = flag & flags[task] if task else flag
    return flag


def _crossed(events: Events, categories: Tensor, vocab: int, flags: Mapping[str, Tensor]) -> Counter:
    """Each event once for every category of its item."""
    keys, entries = [], []
    for slot in categories.view(len(categories), -1).unbind(1):
        category = slot.index_select(0, events.item)
        entries.append(category.nonzero().squeeze(1))
        keys.append(events.row[entries[-1]] * vocab + category[entries[-1]])
    key, entry = torch.cat(keys), torch.cat(entries)
    del keys, entries, category
    flags = {name: flag[entry] for name, flag in flags.items()}
    return Counter.of(key, events.time[entry], flags)


def _first(events: Events, latest: int = 2**63 - 1) -> Tensor:
    n_ids = int(events.item.max()) + 1 if len(events.item) else 1
    first = torch.full((n_ids,), latest).scatter_reduce(0, events.item, events.time, "amin")
    return first[first < latest].sort().values

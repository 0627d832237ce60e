"""How often something happened before a moment: counts and smoothed rates as of any time, for any key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo.core.schema import Role
from zoo.core.types import Batch
from zoo.data.counter import Counter
from zoo.data.roles import SchemaConfig
from zoo.data.split import Events
from zoo.data.windows import KEY, NOW, window_seconds

PRIOR_EVENTS = 5.0
"""Smoothed rates start from the overall rate with the weight of this many events."""


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

    @classmethod
    def asked(
        cls, roles: SchemaConfig, events: Events, catalogue: Batch, known: Tensor | None = None
    ) -> Statistics | None:
        """What a dataset's YAML asks for, None if nothing; the base has no rate, as every event is one.

        Args:
            roles: What the YAML says.
            events: What to count.
            catalogue: Categories of all items, `(n_items + 1, …)`.
            known: `(E,)` bool, the events that count; all by default.
        """
        if (wanted := roles.statistics) is None:
            return None
        events = events if known is None else _where(events, known)
        given = {task: on for task, on in roles.tasks.items() if task != roles.base}
        return cls.of(events, wanted.windows, given, {name: catalogue[name] for name in wanted.cross})

    def live(self, catalogue: Batch, request: Batch, ids: Tensor) -> Batch:
        """`(B, K)` columns of items and of user × category as of each request.

        Args:
            catalogue: Categories of all items, `(n_items + 1, …)`.
            request: `now` and `statistics_key`, `(B,)` each.
            ids: `(B, K)` items, padded with 0.
        """
        now, key = request[NOW], request[KEY]
        batch = self.item(ids, now)
        for name in self.crosses:
            batch |= self.cross(name, key, catalogue[name][ids], now)
        return batch

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
        counts = self._shared(name, row, ids if ids.dim() == 3 else ids[..., None], time)
        return self._columns(f"user_{name}", counts[""].float(), counts, time[:, None])

    def _shared(self, name: str, row: Tensor, ids: Tensor, time: Tensor) -> dict[str, Tensor]:
        vocab = self.vocab[name]
        flat = ids.where((ids > 0) & (ids < vocab), 0).flatten(1)
        # Candidates share categories: where there are few, each is looked up once.
        once = vocab < flat.shape[1]
        keys = row[:, None] * vocab + (torch.arange(vocab) if once else flat)
        counts = self.crosses[name].count(keys, time[:, None], self.windows.values())
        if once:
            counts = {n: x.gather(2, flat.expand(len(x), *flat.shape)) for n, x in counts.items()}
        return {n: x.unflatten(2, ids.shape[1:]).sum(-1) for n, x in counts.items()}

    def seen(self, row: Tensor, item: Tensor, catalogue: Batch, time: Tensor) -> Batch:
        """`(N,)` bool by column: whether there was anything to count, for users and items as of a time."""
        batch: Batch = {}
        windows = self.windows.values()
        counts = {"user": self.users.count(row, time, windows), "item": self.items.count(item, time, windows)}
        for name in self.crosses:
            ids = catalogue[name][item].view(len(item), 1, -1)
            found = self._shared(name, row, ids, time)
            counts[f"user_{name}"] = {behaviour: count[..., 0] for behaviour, count in found.items()}
        for prefix, by in counts.items():
            among = torch.cat([by[""], *(by[on] for on in self.given.values())])
            batch |= dict(zip(self._names(prefix), among > 0, strict=True))
        return batch

    @property
    def features(self) -> tuple[tuple[str, Role, str], ...]:
        """Name, role and, of a cross, the item feature of every column."""
        kinds: list[tuple[str, Role, str]] = [("user", "user", ""), ("item", "item_stat", "")]
        kinds += [(f"user_{name}", "cross", name) for name in self.crosses]
        return tuple((name, role, of) for prefix, role, of in kinds for name in self._names(prefix))

    @property
    def counters(self) -> dict[str, Counter]:
        """All counters by name."""
        crosses = {f"cross:{name}": counter for name, counter in self.crosses.items()}
        return {"overall": self.overall, "users": self.users, "items": self.items, **crosses}

    def tensors(self) -> Batch:
        """The counts themselves, in 8 bytes for each event and counter; `facts` says what they count."""
        batch = {"first": self.first}
        for name, counter in self.counters.items():
            batch[name] = counter.codes
            batch |= {} if counter.ranks is None else {f"ranks:{name}": counter.ranks}
        return batch

    def facts(self) -> dict[str, Any]:
        """As JSON, all but the tensors."""
        edges = {name: [c.n_keys, c.start, c.stop] for name, c in self.counters.items()}
        names = list(self.overall.before)[::-1]
        parts = {"windows": self.windows, "given": self.given, "vocab": self.vocab}
        return {"behaviours": names, "counters": edges, **parts}

    @classmethod
    def restored(cls, tensors: Batch, facts: Mapping[str, Any]) -> Statistics:
        """The inverse of `tensors` and `facts`; raises `KeyError` or `ValueError` where they do not fit."""
        vocab = facts["vocab"]

        def counter(name: str) -> Counter:
            n_keys, start, stop = facts["counters"][name]
            ranks = tensors.get(f"ranks:{name}")
            return Counter.sorted(tensors[name], facts["behaviours"], n_keys, ranks, start, stop)

        overall, users, items = (counter(name) for name in ("overall", "users", "items"))
        crosses = {name: counter(f"cross:{name}") for name in vocab}
        parts = (overall, users, items, crosses, vocab, tensors["first"])
        return cls(facts["windows"], facts["given"], *parts)

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


def _where(events: Events, mask: Tensor) -> Events:
    """Some of the events, which may be counted but have no range for each user."""
    row, item, time = (values[mask] for values in (events.row, events.item, events.time))
    return Events(row, item, time, events.offsets[:0], {name: x[mask] for name, x in events.flags.items()})


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

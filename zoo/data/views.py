"""The batches that each stage trains on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from zoo.core.types import Batch, Candidates, Request
from zoo.data.as_of import AsOf
from zoo.data.shown import Shown
from zoo.data.snapshot import DAY, Snapshot
from zoo.data.split import Requests, every_event, padded
from zoo.data.values import widened


class View(Protocol):
    """Rows that can be asked for by index."""

    def __len__(self) -> int: ...

    def batch(self, index: Tensor) -> Batch:
        """The rows at `index` `(B,)`."""


@dataclass(frozen=True)
class EventView:
    """One row per event before the cut: the request just before it, and its item.

    What was only shown is left out by default: it is no choice, nor, to a retriever, the opposite of one.

    A batch holds the request's features `(B, …)`, the item's static ones `(B, …)` and the event's labels.

    Attributes:
        snapshot: The world at the cut.
        history_length: Of the histories, None for the snapshot's.
        behaviour: Whose events are rows; by default those of what a user chose.
    """

    snapshot: Snapshot
    history_length: int | None = None
    behaviour: str = ""

    def __post_init__(self) -> None:
        requests = every_event(self.snapshot.events, self.snapshot.stop)
        behaviour = self.behaviour or self.snapshot.encoder.roles.choice
        counts = self.snapshot.events.flags[behaviour][requests.first]
        requests = requests.take(counts.nonzero().squeeze(1))
        object.__setattr__(self, "_requests", requests)
        object.__setattr__(self, "_as_of", AsOf.of(self.snapshot, requests))

    def __len__(self) -> int:
        return len(self._requests)  # type: ignore[attr-defined]

    @property
    def requests(self) -> Requests:
        """The request of every row."""
        return self._requests  # type: ignore[attr-defined]

    @property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """User row and item of every row's event, `(N,)` each."""
        return self.requests.row, self.snapshot.events.item[self.requests.first]

    def batch(self, index: Tensor) -> Batch:
        """The events at `index`."""
        requests = self._requests.take(index)  # type: ignore[attr-defined]
        events = self.snapshot.events
        as_of: AsOf | None = self._as_of  # type: ignore[attr-defined]
        known = as_of.batch(index) if as_of else None
        batch = self.snapshot.requests(requests, self.history_length, known)
        item = events.item[requests.first]
        static = self.snapshot.schema.having("item_id", "item")
        batch |= {feature.name: self.snapshot.catalogue[feature.name][item] for feature in static}
        labels = {f"label:{name}": flag[requests.first].float() for name, flag in events.flags.items()}
        return batch | labels | {f"label:{name}": x[requests.first] for name, x in events.values.items()}


@dataclass(frozen=True)
class HistoryView:
    """One row per user: `user_id`, and all events before the cut, newest first, with their age in days.

    Users with many events come first, so that a batch in this order has little padding.
    """

    snapshot: Snapshot

    def __post_init__(self) -> None:
        events, stop = self.snapshot.events, self.snapshot.stop
        size = stop - events.offsets[:-1]
        row = size.argsort(descending=True, stable=True)[: int((size > 0).sum())]
        object.__setattr__(self, "_rows", (row, stop[row]))

    def __len__(self) -> int:
        return len(self._rows[0])  # type: ignore[attr-defined]

    @cached_property
    def _ages(self) -> Batch:
        """`(E,)` by behaviour: days before the cut of each of its events."""
        events = self.snapshot.events
        age = (self.snapshot.cut - events.time).float() / DAY
        return {name: age[events.flags[name]] for name in self.snapshot.encoder.roles.histories}

    def batch(self, index: Tensor) -> Batch:
        """The users at `index`."""
        row, stop = (x[index] for x in self._rows)  # type: ignore[attr-defined]
        start, snapshot = self.snapshot.events.offsets[row], self.snapshot
        batch = {"user_id": snapshot.users["user_id"][row]}
        for name, age in self._ages.items():
            first, last, items = snapshot.ranges(name, start, stop)
            batch[f"history:{name}"] = padded(items, first, last, newest=True)
            batch[f"age:{name}"] = padded(age, first, last, newest=True)
        return batch


@dataclass(frozen=True)
class CandidateView:
    """One row per request: its features `(B, …)`, its candidates `(B, K, …)` with columns, crosses, labels.

    Attributes:
        requests: `(N, …)`.
        candidates: `(N, K, …)`, `item_id` among them; 0 is padding.
        catalogue: Static item features `(n_items + 1, …)`, looked up only when a batch is made.
    """

    requests: Batch
    candidates: Batch
    catalogue: Batch

    def __len__(self) -> int:
        return len(self.candidates["item_id"])

    def batch(self, index: Tensor) -> Batch:
        """The requests at `index`."""
        batch = {name: values[index] for name, values in (self.requests | self.candidates).items()}
        return {name: table[batch["item_id"]] for name, table in self.catalogue.items()} | batch

    def request(self, index: Tensor) -> Request:
        """The requests at `index` without their candidates."""
        return Request({name: values[index] for name, values in self.requests.items()})


@dataclass(frozen=True)
class ShownView:
    """One row per request as it was logged: its features `(B, …)`, and what was shown in it `(B, K, …)`.

    A batch is made when it is asked for, so a table of millions of rows costs no more than their places.
    Labels are there for every behaviour; one that is a number is NaN where it is not defined.

    Attributes:
        snapshot: The world whose encoder and catalogue are used; each request has its own history.
        shown: The requests.
        columns: `(E,)` features of the item of every event as it was shown.
        join: Adds what is known of candidates to what is known of requests.
    """

    snapshot: Snapshot
    shown: Shown
    columns: Batch
    join: Callable[[Request, Candidates], Batch]

    def __len__(self) -> int:
        return len(self.shown)

    def batch(self, index: Tensor) -> Batch:
        """The requests at `index`."""
        events, (place, mask) = self.snapshot.events, self.shown.places(index)
        request = Request(self.snapshot.requests(self.shown.requests.take(index)))
        columns = {name: widened(x[place]).masked_fill(~mask, 0) for name, x in self.columns.items()}
        candidates = Candidates.of(events.item[place].masked_fill(~mask, 0)).with_columns(**columns)
        labels = {name: flag[place].float().masked_fill(~mask, 0) for name, flag in events.flags.items()}
        labels |= {name: x[place].masked_fill(~mask, torch.nan) for name, x in events.values.items()}
        return self.join(request, candidates) | {f"label:{name}": label for name, label in labels.items()}


@dataclass(frozen=True)
class ColumnView:
    """One row per event, of columns that may lie in a mapped file: a batch reads its own rows and no more.

    Attributes:
        columns: `(E,)` by feature name.
        rows: `(N,)` the events that count, such as those for training; all if None.
    """

    columns: Batch
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.rows is None else len(self.rows)

    def batch(self, index: Tensor) -> Batch:
        """The events at `index`."""
        events = index if self.rows is None else self.rows[index]
        return {name: column[events] for name, column in self.columns.items()}


class BatchLoader:
    """Batches of a view by slicing tensors: no worker, no per-row collation, the same order for one seed.

    Args:
        view: The rows.
        batch_size: Rows a batch; the last may be smaller.
        seed: Shuffles anew every epoch; None keeps the order.
    """

    def __init__(self, view: View, batch_size: int, seed: int | None = None) -> None:
        self.view, self.batch_size = view, batch_size
        self._generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return -(-len(self.view) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        rows = len(self.view)
        shuffle = self._generator is not None
        order = torch.randperm(rows, generator=self._generator) if shuffle else torch.arange(rows)
        yield from (self.view.batch(index) for index in order.split(self.batch_size))

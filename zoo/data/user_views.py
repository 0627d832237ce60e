"""Rows of users for training: a part of what each did is the history, the rest are its positives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.core.types import Batch
from zoo.data.snapshot import Snapshot
from zoo.data.split import Requests, padded


@dataclass(frozen=True)
class UserView:
    """One row per user with at least two chosen events: history, and the positives that follow it.

    All of a user's positives share one history, so a pass over the users costs little more than one over
    the catalogue.

    A batch holds the request's features `(B, …)`, and the positives' ids, static features, labels and
    weights `(B, P, …)`, padded with 0. Draws come from torch's global generator.

    Attributes:
        snapshot: The world at the cut.
        history_length: Of the histories, None for the snapshot's.
        behaviour: Whose events are positives; by default those of what a user chose.
        history_share: Part of a user's events that is history, rounded down; None for a part drawn anew each
            time, between none and all but one.
        n_positives: The nearest to the history, at most; None for all.
        ordered: Whether the events keep their order in time; else a random part is the history.
    """

    snapshot: Snapshot
    history_length: int | None = None
    behaviour: str = ""
    history_share: float | None = None
    n_positives: int | None = None
    ordered: bool = True

    def __post_init__(self) -> None:
        events, stop = self.snapshot.events, self.snapshot.stop
        behaviour = self.behaviour or self.snapshot.encoder.roles.choice
        chosen = (events.flags[behaviour] & events.known(stop)).nonzero().squeeze(1)
        edges = torch.searchsorted(chosen, events.offsets)
        users = (edges[1:] - edges[:-1] >= 2).nonzero().squeeze(1)
        object.__setattr__(self, "_chosen", chosen)
        object.__setattr__(self, "_rows", (users, edges[users], edges[users + 1]))

    def __len__(self) -> int:
        return len(self._rows[0])  # type: ignore[attr-defined]

    @property
    def catalogue(self) -> Batch:
        """Features of all items, `(n_items + 1, …)`."""
        return self.snapshot.catalogue

    @property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """User row and item of every chosen event, `(E,)` each."""
        chosen: Tensor = self._chosen  # type: ignore[attr-defined]
        return self.snapshot.events.row[chosen], self.snapshot.events.item[chosen]

    def batch(self, index: Tensor) -> Batch:
        """The users at `index`, each cut at a place drawn now."""
        user, start, stop = (x[index] for x in self._rows)  # type: ignore[attr-defined]
        size = stop - start
        share = torch.rand(len(size)) if self.history_share is None else self.history_share
        kept = (share * size).long().clamp(max=size - 1)
        events = self._events(start, stop)
        place = torch.arange(events.shape[1])
        before = events.masked_fill(place >= kept[:, None], 0)
        after = _from(events, kept, self.n_positives)
        batch = self._request(user, after, kept) if self.ordered else self._part(user, before, kept)
        return batch | self._positives(after)

    def _events(self, start: Tensor, stop: Tensor) -> Tensor:
        """`(B, L)` places of the chosen events, +1 as 0 is padding; in a random order if they have none."""
        chosen: Tensor = self._chosen  # type: ignore[attr-defined]
        if self.ordered:
            return padded(chosen + 1, start, stop)
        size = stop - start
        last = size.cumsum(0)
        row = torch.repeat_interleave(size)
        flat = chosen[torch.arange(len(row)) + (start - last + size)[row]] + 1
        # Sorted flat, as most of the matrix is padding where a few users did much more than the others.
        order = (row + torch.rand(len(row), dtype=torch.float64)).argsort()
        return padded(flat[order], last - size, last)

    def _request(self, user: Tensor, after: Tensor, kept: Tensor) -> Batch:
        """All that was known just before the first positive, by `Snapshot.requests`."""
        first = after[:, 0] - 1
        requests = Requests(user, first, first + 1, self.snapshot.events.time[first], kept == 0)
        return self._narrow(self.snapshot.requests(requests, self.history_length))

    def _part(self, user: Tensor, before: Tensor, kept: Tensor) -> Batch:
        """The same with a random part of the events in place of those before a moment."""
        events = self.snapshot.events
        end = events.offsets[user] + kept
        last = end.clamp(max=len(events.time) - 1)
        batch = self.snapshot.requests(Requests(user, end, end + 1, events.time[last], kept == 0), 1)
        items, place = events.item[(before - 1).clamp(min=0)], (before - 1).clamp(min=0)
        length = self.history_length or self.snapshot.history_length
        for name in self.snapshot.encoder.roles.histories:
            counts = (before > 0) & events.flags[name][place]
            batch[f"history:{name}"] = _compact(items.where(counts, 0))[:, :length]
        return self._narrow(batch)

    def _positives(self, after: Tensor) -> Batch:
        events, there, place = self.snapshot.events, after > 0, (after - 1).clamp(min=0)
        item = events.item[place].where(there, 0)
        static = self.snapshot.schema.having("item_id", "item")
        batch = {feature.name: self.snapshot.catalogue[feature.name][item] for feature in static}
        return batch | {f"label:{name}": (flag[place] & there).float() for name, flag in events.flags.items()}

    def _narrow(self, batch: Batch) -> Batch:
        """Histories without the columns that are padding in every row."""
        names = [f"history:{name}" for name in self.snapshot.encoder.roles.histories]
        return batch | {name: batch[name][:, : int((batch[name] > 0).sum(1).max())] for name in names}


def _from(events: Tensor, start: Tensor, count: int | None) -> Tensor:
    """`(B, P)` each row from its column `start` `(B,)` on, at most `count`, padded with 0."""
    width = int(((events > 0).sum(1) - start).max()) if len(events) else 0
    place = start[:, None] + torch.arange(width if count is None else min(width, count))
    inside = place < events.shape[1]
    return events.gather(1, place.clamp(max=events.shape[1] - 1)).where(inside, 0)


def _compact(ids: Tensor) -> Tensor:
    """Each row's ids in their order, padding behind."""
    if not ((ids[:, :-1] == 0) & (ids[:, 1:] > 0)).any():
        return ids
    return ids.gather(1, (ids == 0).to(torch.uint8).argsort(dim=1, stable=True))

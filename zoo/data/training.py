"""The rows that an embedding model asks for, with weights and drawn negatives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.core.rows import Rows
from zoo.core.types import Batch
from zoo.data.snapshot import Snapshot
from zoo.data.user_views import UserView
from zoo.data.views import EventView, View

DAMPING = 0.75
"""Popularity draws in proportion to clicks to this power (Mikolov et al., NeurIPS 2013)."""


def training_view(snapshot: Snapshot, rows: Rows) -> View:
    """The view that makes these rows of what is known at the snapshot's cut."""
    view: EventView | UserView | WeightedView
    if rows.unit == "events":
        view = EventView(snapshot, rows.history_length, rows.behaviour)
    else:
        ordered = rows.unit == "users"
        parts = (rows.history_length, rows.behaviour, rows.history_share, rows.n_positives)
        view = UserView(snapshot, *parts, ordered)
    if rows.positive_power:
        view = WeightedView(
            view, snapshot, item_weights(_counts(snapshot, rows.behaviour), rows.positive_power)
        )
    return SampledView(view, snapshot, sampler_of(snapshot, rows)) if rows.negatives else view


def item_weights(counts: Tensor, power: float) -> Tensor:
    """`(n_items + 1,)` count^-power, scaled so that the events of all items weigh 1 on average.

    Args:
        counts: `(n_items + 1,)` events of every item.
        power: 0 weighs all events the same, 1 all items.
    """
    counts = counts.double()
    weight = counts.clamp(min=1).pow(-power)
    weight = weight * counts.sum().clamp(min=1) / (weight * counts).sum().clamp(min=1)
    return weight.float()


@dataclass(frozen=True)
class WeightedView:
    """Adds `weight`, shaped as `item_id`: what a positive counts.

    Attributes:
        view: The rows.
        snapshot: The world that they are of.
        weights: `(n_items + 1,)` by item.
    """

    view: EventView | UserView | WeightedView
    snapshot: Snapshot
    weights: Tensor

    def __len__(self) -> int:
        return len(self.view)

    @property
    def catalogue(self) -> Batch:
        """Features of all items, `(n_items + 1, …)`."""
        return self.snapshot.catalogue

    @property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """User row and item of every event that is learned from, `(E,)` each."""
        return self.view.pairs

    def batch(self, index: Tensor) -> Batch:
        """The rows at `index`."""
        batch = self.view.batch(index)
        return batch | {"weight": self.weights[batch["item_id"]]}


@dataclass(frozen=True)
class Sampler:
    """Draws items, with repeats, in proportion to weights.

    Attributes:
        n_items: Ids are 1..n_items.
        count: How many each time; 0 for every item once.
        cumulative: `(n_items,)` running sum of the weights, the last of which is 1; None for a uniform draw.
        log_q: `(n_items + 1,)` log of how often an item is expected in a draw, where that differs by item.
    """

    n_items: int
    count: int
    cumulative: Tensor | None = None
    log_q: Tensor | None = None

    @classmethod
    def in_proportion(cls, weights: Tensor, count: int) -> Sampler:
        """One that draws an item in proportion to `weights` `(n_items + 1,)`, of which padding has none."""
        share = weights[1:].double() / weights[1:].double().sum()
        log_q = torch.cat([torch.zeros(1), (share * count).log().float()])
        # What is never drawn is corrected as if drawn once in a very long while.
        return cls(len(share), count, share.cumsum(0), log_q.clamp(min=-50))

    def draw(self) -> Tensor:
        """`(count,)` item ids, from torch's global generator."""
        if not self.count:
            return torch.arange(1, self.n_items + 1)
        if self.cumulative is None:
            return torch.randint(1, self.n_items + 1, (self.count,))
        place = torch.searchsorted(self.cumulative, torch.rand(self.count, dtype=torch.float64), right=True)
        return 1 + place.clamp(max=self.n_items - 1)


def sampler_of(snapshot: Snapshot, rows: Rows) -> Sampler:
    """The sampler that `rows` ask for; clicks are those before the cut."""
    n_items = snapshot.schema.n_items
    if rows.negatives == "popularity":
        counts = _counts(snapshot, rows.behaviour)
        return Sampler.in_proportion(counts.float().pow(DAMPING), rows.n_negatives)
    return Sampler(n_items, 0 if rows.negatives == "all" else rows.n_negatives)


@dataclass(frozen=True)
class SampledView:
    """Adds items drawn for the whole batch: `negative:<feature>` `(N, …)`, ids and static features.

    Where the draw is not uniform, `negative:log_q` `(N,)` and `log_q`, shaped as `item_id`, say how often an
    item is expected in it.

    Attributes:
        view: The rows.
        snapshot: Whose catalogue is drawn from.
        sampler: How.
    """

    view: EventView | UserView | WeightedView
    snapshot: Snapshot
    sampler: Sampler

    def __len__(self) -> int:
        return len(self.view)

    @property
    def catalogue(self) -> Batch:
        """Features of all items, `(n_items + 1, …)`."""
        return self.snapshot.catalogue

    @property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """User row and item of every event that is learned from, `(E,)` each."""
        return self.view.pairs

    def batch(self, index: Tensor) -> Batch:
        """The rows at `index`."""
        batch, ids = self.view.batch(index), self.sampler.draw()
        static = self.snapshot.schema.having("item_id", "item")
        batch |= {f"negative:{f.name}": self.snapshot.catalogue[f.name][ids] for f in static}
        if self.sampler.log_q is not None:
            log_q = self.sampler.log_q
            batch |= {"negative:log_q": log_q[ids], "log_q": log_q[batch["item_id"]]}
        return batch


def _counts(snapshot: Snapshot, behaviour: str) -> Tensor:
    """`(n_items + 1,)` events of every item before the cut."""
    events = snapshot.events
    flag = events.flags[behaviour or snapshot.encoder.roles.choice]
    known = events.item[flag & events.known(snapshot.stop)]
    return torch.bincount(known, minlength=snapshot.schema.n_items + 1)

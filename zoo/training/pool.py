"""Positives and negatives of a batch: which items are set against which rows, each encoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.topk import is_member
from zoo.core.types import Batch
from zoo.losses import Contrast, StreamingFrequency
from zoo.training.contrast import ContrastConfig

Encode: TypeAlias = Callable[[Batch], Tensor]
"""From static item features `(…)` to vectors `(…, D)`."""


@dataclass(frozen=True)
class Pool:
    """The items that a batch speaks of, each of them encoded once however often it occurs.

    Attributes:
        ids: `(U,)` distinct item ids.
        vectors: `(U, D)`.
        row: `(E,)` row of each positive.
        place: `(E,)` its column, 0 where a row has one positive.
        positive: `(E,)` where it is in the pool.
        drawn: `(N,)` where the items drawn for the batch are.
    """

    ids: Tensor
    vectors: Tensor
    row: Tensor
    place: Tensor
    positive: Tensor
    drawn: Tensor

    @classmethod
    def of(cls, batch: Batch, features: Sequence[str], encode: Encode) -> Pool:
        """Encodes a batch's items; `features` are the static ones, `item_id` among them."""
        row, place = _columns(batch["item_id"]).nonzero(as_tuple=True)
        items = {name: _columns(batch[name], batch)[row, place] for name in features}
        if "negative:item_id" in batch:
            items = {name: torch.cat([x, batch[f"negative:{name}"]]) for name, x in items.items()}
        ids, inverse = items["item_id"].unique(return_inverse=True)
        first = torch.empty_like(ids)
        first[inverse] = torch.arange(len(inverse), device=ids.device)
        vectors = encode({name: x[first] for name, x in items.items()})
        return cls(ids, vectors, row, place, inverse[: len(row)], inverse[len(row) :])

    def of_positives(self, batch: Batch, name: str) -> Tensor:
        """`(E, …)` what the batch holds of each positive."""
        return _columns(batch[name], batch)[self.row, self.place]

    def columns(self, in_batch: bool, distinct: bool) -> Tensor:
        """`(C,)` where in the pool the negatives of all rows are.

        Args:
            in_batch: The positives are among them, beside what was drawn.
            distinct: Each of the positives is one column, however often it occurs.
        """
        if not in_batch:
            return self.drawn
        return torch.cat([self.positive.unique() if distinct else self.positive, self.drawn])

    def keep(self, columns: Tensor, rows: int, histories: Sequence[Tensor], n_items: int) -> Tensor:
        """`(B, C)` bool, False for a row's own positives and the items of its histories `(B, L)`."""
        hit = torch.zeros(rows, len(self.ids), dtype=torch.bool, device=self.ids.device)
        hit[self.row, self.positive] = True
        where = torch.full((n_items + 1,), -1, device=self.ids.device)
        where[self.ids] = torch.arange(len(self.ids), device=self.ids.device)
        for history in histories:
            found = where[history].masked_fill(history == 0, -1)
            row, place = (found >= 0).nonzero(as_tuple=True)
            hit[row, found[row, place]] = True
        return ~hit[:, columns]


@dataclass(frozen=True)
class Contrasting:
    """Sets the positives of a batch against its negatives.

    Attributes:
        config: How.
        features: Names of the static item features, `item_id` among them.
        histories: Names of the histories of which `mask_history` speaks.
        tasks: Names of the tasks that have a vector each; none for one vector and all positives.
        n_items: Of the catalogue.
    """

    config: ContrastConfig
    features: Sequence[str]
    histories: Sequence[str]
    tasks: Sequence[str]
    n_items: int

    def loss(self, batch: Batch, user: Tensor, encode: Encode, frequency: StreamingFrequency) -> Tensor:
        """Scalar; that of several tasks is the mean over them.

        Args:
            batch: With `item_id` `(B,)` or `(B, P)` and what `zoo.data.training` adds to it. Negatives of
                single rows, such as a later stage of the funnel finds, are `hard:<feature>` `(B, M, …)`.
            user: `(B, D)`, the vectors of all tasks one behind another.
            encode: The item encoder.
            frequency: Of the positives in the stream of batches.
        """
        pool = Pool.of(batch, self.features, encode)
        columns = pool.columns(self.config.in_batch, self.config.rows != "events")
        masked = [batch[name] for name in self.histories] if self.config.mask_history else []
        keep = pool.keep(columns, len(user), masked, self.n_items)
        log_q = self._log_q(batch, pool, frequency)
        importance, own = (None, None) if log_q is None else (-log_q[columns], -log_q[pool.positive])
        vectors = _of_tasks(pool.vectors, self.tasks)
        hard = self._hard(batch, encode)
        if hard is not None:
            keep = torch.cat([keep, _not_own(batch)], dim=1)
            # They are candidates of their row for certain: their log q is 0.
            importance = (
                importance if importance is None else F.pad(importance, (0, keep.shape[1] - len(columns)))
            )
        losses = []
        for part, (u, v) in enumerate(zip(_of_tasks(user, self.tasks), vectors, strict=True)):
            negative = u @ v[columns].T
            if hard is not None:
                negative = torch.cat([negative, torch.einsum("bd,bmd->bm", u, hard[part])], dim=1)
            positive = (u[pool.row] * v[pool.positive]).sum(-1)
            weight = self._weight(batch, pool, part)
            scores = Contrast(positive, pool.row, negative, keep, importance, own, weight)
            losses.append(self.config.loss(scores))
        return torch.stack(losses).mean()

    def _log_q(self, batch: Batch, pool: Pool, frequency: StreamingFrequency) -> Tensor | None:
        """`(U,)` how often an item is expected among a batch's negatives; None where all are alike."""
        config = self.config
        if config.in_batch:
            frequency(pool.ids[pool.positive])
        if not config.correct or config.negatives in ("uniform", "all"):
            return None
        if config.negatives == "popularity":
            log_q = torch.empty(len(pool.ids), device=pool.ids.device)
            log_q[pool.positive] = pool.of_positives(batch, "log_q")
            log_q[pool.drawn] = batch["negative:log_q"]
            return log_q
        log_q = frequency.log_probability(pool.ids)
        if config.negatives == "mixed":
            drawn = torch.tensor(config.n_negatives / self.n_items, device=log_q.device)
            log_q = torch.logaddexp(log_q, drawn.log())
        return log_q

    def _hard(self, batch: Batch, encode: Encode) -> list[Tensor] | None:
        """`(B, M, D)` by task, if the batch has any."""
        if "hard:item_id" not in batch:
            return None
        return _of_tasks(encode({name: batch[f"hard:{name}"] for name in self.features}), self.tasks)

    def _weight(self, batch: Batch, pool: Pool, part: int) -> Tensor:
        """`(E,)` of the positives: by popularity and activity, 0 of what is no positive of the task."""
        weight = torch.ones(len(pool.row), device=pool.row.device)
        if "weight" in batch:
            weight = weight * pool.of_positives(batch, "weight")
        if self.tasks:
            weight = weight * (pool.of_positives(batch, f"label:{self.tasks[part]}") > 0)
        if self.config.activity_power:
            active = torch.bincount(pool.row)[pool.row]
            weight = weight * active.to(weight.dtype).pow(-self.config.activity_power)
        return weight


def _columns(values: Tensor, batch: Batch | None = None) -> Tensor:
    """`(B, P, …)`, with P = 1 where a row has one item."""
    single = (values if batch is None else batch["item_id"]).dim() == 1
    return values[:, None] if single else values


def _of_tasks(vectors: Tensor, tasks: Sequence[str]) -> list[Tensor]:
    """The unit vectors of each task from those of all, one behind another in the last dimension."""
    return [F.normalize(part, dim=-1) for part in vectors.chunk(max(len(tasks), 1), dim=-1)]


def _not_own(batch: Batch) -> Tensor:
    """`(B, M)` bool, True where a hard negative is an item, and none of its row's positives."""
    hard = batch["hard:item_id"]
    return (hard > 0) & ~is_member(hard, _columns(batch["item_id"]))

"""The three words every stage speaks: `Batch`, `Request` and `Candidates`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

import torch
from torch import Tensor

Batch: TypeAlias = dict[str, Tensor]
"""Tensors by feature name: request-level features are `(B, …)`, candidate-level features `(B, K, …)`."""


@dataclass(frozen=True)
class Request:
    """A batch of users with their context and histories, already encoded.

    Attributes:
        features: Request-level tensors by feature name, each with leading dimension B.
    """

    features: Batch

    def __len__(self) -> int:
        return next(iter(self.features.values())).shape[0]

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return next(iter(self.features.values())).device

    def rows(self, index: Tensor | slice) -> Request:
        """The requests at `index` (a slice or an int64 tensor)."""
        return Request({name: value[index] for name, value in self.features.items()})


@dataclass(frozen=True)
class Candidates:
    """What flows between stages: at most K items per request, in rank order.

    Attributes:
        ids: `(B, K)` int64 dense item ids, 0 is padding.
        scores: `(B, K)` float scores of the last stage; only their order matters.
        source: `(B, K)` int64 bit mask, bit c is set when channel c found the item.
        columns: Named `(B, K)` tensors, such as per-channel scores or per-task probabilities.
    """

    ids: Tensor
    scores: Tensor
    source: Tensor
    columns: Batch = field(default_factory=dict)

    @classmethod
    def of(cls, ids: Tensor, scores: Tensor | None = None, channel: int | None = None) -> Candidates:
        """Candidates from bare ids; `channel` marks every one of them as found by that channel."""
        found = 0 if channel is None else 1 << channel
        source = torch.where(ids > 0, found, 0)
        return cls(ids, torch.zeros(ids.shape, device=ids.device) if scores is None else scores, source)

    @classmethod
    def empty(cls, batch: int, device: torch.device | str = "cpu") -> Candidates:
        """No candidates yet, the input of the first stage."""
        return cls.of(torch.zeros(batch, 0, dtype=torch.int64, device=device))

    @property
    def mask(self) -> Tensor:
        """`(B, K)` bool, True where there is an item."""
        return self.ids > 0

    def take(self, order: Tensor) -> Candidates:
        """Candidates at positions `order` `(B, J)`, every column taken along."""
        columns = {name: value.gather(1, order) for name, value in self.columns.items()}
        return Candidates(
            self.ids.gather(1, order), self.scores.gather(1, order), self.source.gather(1, order), columns
        )

    def top(self, k: int) -> Candidates:
        """The best `k` by score, padding last, ties by position."""
        scores = self.scores.masked_fill(~self.mask, -torch.inf)
        return self.take(scores.argsort(dim=1, descending=True, stable=True)[:, :k])

    def compact(self, k: int) -> Candidates:
        """The first `k` items in their order, padding moved behind them."""
        return self.take((~self.mask).int().argsort(dim=1, stable=True)[:, :k])

    def with_scores(self, scores: Tensor) -> Candidates:
        """The same candidates under new scores."""
        return replace(self, scores=scores)

    def with_columns(self, **columns: Tensor) -> Candidates:
        """The same candidates with further named columns."""
        return replace(self, columns={**self.columns, **columns})

"""Recall channels side by side, and the merge of what they found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from zoo.core.topk import search_beyond
from zoo.core.types import Batch, Candidates, Request


class Recaller(Protocol):
    """What a channel needs of a recall model."""

    def recall(self, request: Request, k: int, exclude: Tensor | None = None) -> Candidates:
        """The best `k` items, best first."""

    def columns(self, request: Request, ids: Tensor) -> Batch:
        """Named `(B, K)` features of given items."""


@dataclass(frozen=True)
class Channel:
    """A named recall model and how many unseen items it may bring."""

    name: str
    model: Recaller
    quota: int


@dataclass(frozen=True)
class Recall:
    """Asks every channel and puts their lists side by side, in order of the channels.

    A user's quota grows by the number of items the user has seen, as these are filtered only after the merge.
    """

    channels: Sequence[Channel]

    def __call__(self, request: Request, candidates: Candidates) -> Candidates:
        """`(B, Σ quota + seen)`, an item once for every channel that found it."""
        none = torch.zeros(len(request), 0, device=request.device)
        seen = (request.features.get("seen", none) > 0).sum(1)
        return concatenate([candidates, *(self._ask(i, request, seen) for i in range(len(self.channels)))])

    def _ask(self, number: int, request: Request, seen: Tensor) -> Candidates:
        channel = self.channels[number]

        def search(rows: Tensor, width: int) -> tuple[Tensor, Tensor]:
            found = channel.model.recall(request.rows(rows), width)
            return found.ids, found.scores

        ids, _ = search_beyond(channel.quota, seen, search)
        place = torch.arange(ids.shape[1], device=request.device)
        # Cut for each user alone, so that a list does not depend on who else is in the batch.
        ids = ids.masked_fill(place >= (channel.quota + seen)[:, None], 0)
        return Candidates.of(ids, -place.expand(ids.shape).float(), number)


@dataclass(frozen=True)
class Merge:
    """Removes duplicates, keeping every source; an item comes in at its best place in any channel.

    Attributes:
        total: Most candidates to keep, None for all.
    """

    total: int | None = None

    def __call__(self, request: Request, candidates: Candidates) -> Candidates:
        """Each item once, interleaved by place."""
        place = candidates.scores.masked_fill(~candidates.mask, -torch.inf)
        flow = candidates.take(place.argsort(dim=1, descending=True, stable=True))
        order = flow.ids.argsort(dim=1, stable=True)
        ids = flow.ids.gather(1, order)
        first = torch.ones_like(ids, dtype=torch.bool)
        first[:, 1:] = ids[:, 1:] != ids[:, :-1]
        group = first.long().cumsum(1) - 1
        # Sources are distinct bits within a group, so their sum is their union.
        union = torch.zeros_like(ids).scatter_add_(1, group, flow.source.gather(1, order)).gather(1, group)
        source = torch.zeros_like(ids).scatter_(1, order, union)
        keep = torch.zeros_like(first).scatter_(1, order, first)
        merged = Candidates(flow.ids.masked_fill(~keep, 0), flow.scores, source, flow.columns)
        width = int(merged.mask.sum(1).max()) if len(request) else 0
        return merged.compact(width if self.total is None else min(self.total, width))


def concatenate(parts: Sequence[Candidates]) -> Candidates:
    """Side by side, without the columns."""
    return Candidates(
        torch.cat([part.ids for part in parts], dim=1),
        torch.cat([part.scores for part in parts], dim=1),
        torch.cat([part.source for part in parts], dim=1),
    )

"""Features of candidates: columns from the channels, the join with the catalogue, the scores of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.schema import Feature, Schema
from zoo.core.types import Batch, Candidates, Request
from zoo.funnel.merge import Channel

RECENT = 20
"""Newest events that a taste is read from."""
KINDS = {True: "distance", False: "affinity"}
"""How a cross with an item feature begins, by whether that is ordered; other crosses are not made here."""


@dataclass(frozen=True)
class Annotate:
    """Adds what every channel thinks of every candidate, whoever found it.

    The columns are `<channel>:<name>` for each column of the channel's model, and `<channel>:rank`,
    log(1 + number of the request's candidates with a higher score).
    """

    channels: Sequence[Channel]

    def __call__(self, request: Request, candidates: Candidates) -> Candidates:
        """The same candidates with columns."""
        columns: Batch = {}
        for channel in self.channels:
            found = channel.model.columns(request, candidates.ids)
            columns |= {f"{channel.name}:{name}": value.float() for name, value in found.items()}
            columns[f"{channel.name}:rank"] = _ranks(found["score"], candidates.mask).log1p()
        return candidates.with_columns(**columns)


@dataclass(frozen=True)
class FeatureJoin:
    """Makes the batch a rank model reads: request, catalogue, columns and crosses.

    A cross of a multi feature is the cosine of the candidate's values with those of the newest events; of a
    categorical one, which is then a bin, the distance to their mean. A cross of a history is how lately the
    candidate itself is in it.

    Attributes:
        catalogue: Features of all items, `(n_items + 1, …)`.
        schema: Whose cross features to compute.
        behaviour: The history that a taste is read from.
        live: Statistics of candidates, from a request's features and ids `(B, K)`; the crosses among them are
            its own and not computed here.
    """

    catalogue: Batch
    schema: Schema
    behaviour: str
    live: Callable[[Batch, Tensor], Batch] | None = None

    def __call__(self, request: Request, candidates: Candidates) -> Batch:
        """Request features `(B, …)` and candidate features `(B, K, …)`."""
        batch = {name: table[candidates.ids] for name, table in self.catalogue.items()}
        history = request.features[f"history:{self.behaviour}"][:, :RECENT]
        for cross in self.schema.having("cross"):
            if cross.of in request.features:
                batch[cross.name] = lateness(request.features[cross.of], candidates.ids)
            elif cross.name == f"{KINDS[self.schema[cross.of].ordered]}:{cross.of}":
                batch[cross.name] = self._cross(self.schema[cross.of], history, batch[cross.of])
        batch |= self.live(request.features, candidates.ids) if self.live else {}
        return request.features | batch | candidates.columns

    def _cross(self, feature: Feature, history: Tensor, values: Tensor) -> Tensor:
        if not history.any():
            return torch.zeros(values.shape[:2], device=values.device)
        past, events = self.catalogue[feature.name][history], (history > 0).float()
        if feature.kind == "multi":
            taste = F.normalize((_hot(past, feature.vocab) * events[..., None]).sum(1), dim=-1)
            return torch.einsum("bkd,bd->bk", F.normalize(_hot(values, feature.vocab), dim=-1), taste)
        known = events * (past > 0)
        if not feature.ordered:
            same = (past[:, None] == values[..., None]) & (values > 0)[..., None]
            return (same * known[:, None]).sum(2) / known.sum(1, keepdim=True).clamp(min=1)
        mean = (past * known).sum(1, keepdim=True) / known.sum(1, keepdim=True).clamp(min=1)
        return torch.where((values > 0) & (known.sum(1, keepdim=True) > 0), (values - mean).abs(), 0.0)


def crosses(schema: Schema) -> tuple[Feature, ...]:
    """The crosses of item features: `distance:` of an ordered one, `affinity:` of other categories."""
    items = (f for f in schema.having("item") if f.kind in ("multi", "categorical"))
    return tuple(Feature(f"{KINDS[f.ordered]}:{f.name}", "cross", "numeric", of=f.name) for f in items)


def returns(schema: Schema) -> tuple[Feature, ...]:
    """The crosses of histories, for candidates that may be in them: `again:` of each behaviour."""
    histories = (f for f in schema.having("history") if f.kind == "sequence")
    return tuple(Feature(f"again:{f.of}", "cross", "numeric", of=f.name) for f in histories)


def lateness(history: Tensor, ids: Tensor) -> Tensor:
    """`(B, K)` 1 / rank of the newest event with each item `(B, K)` in a history `(B, L)`, 0 without one."""
    rank = torch.arange(1, history.shape[1] + 1, device=ids.device)
    same = (history[:, None] == ids[..., None]) & (ids > 0)[..., None]
    return F.pad(same / rank, (0, 1)).amax(dim=2)


@dataclass(frozen=True)
class Score:
    """Scores candidates with a pre-rank or rank model and keeps the best.

    The probability of each task becomes the column `p:<task>`; the score is the sum over tasks of their joint
    probabilities, the expected number of behaviours, which a fusion may replace.

    Attributes:
        predict: Probabilities `(B, K)` by task, conditional where the task is.
        join: Makes the batch.
        keep: Most candidates to keep, None for all.
    """

    predict: Callable[[Batch], Batch]
    join: FeatureJoin
    keep: int | None = None

    def __call__(self, request: Request, candidates: Candidates) -> Candidates:
        """The best candidates, best first."""
        predicted = self.predict(self.join(request, candidates))
        joint: Batch = {}
        for task in self.join.schema.tasks:
            joint[task.name] = predicted[task.name] * (joint[task.given] if task.given in predicted else 1.0)
        scored = candidates.with_columns(**{f"p:{name}": value for name, value in predicted.items()})
        scored = scored.with_scores(torch.stack(list(joint.values())).sum(0))
        return scored.top(candidates.ids.shape[1] if self.keep is None else self.keep)


def _hot(values: Tensor, vocab: int) -> Tensor:
    """`(…, vocab)` one where a value `(…, length)` is present, padding not counted."""
    out = torch.zeros(*values.shape[:-1], vocab, device=values.device).scatter_(-1, values, 1.0)
    out[..., 0] = 0
    return out


def _ranks(scores: Tensor, mask: Tensor) -> Tensor:
    """`(B, K)` float, how many candidates score higher than each.

    Equals share a rank: by position, a channel that knows none of them would tell in which order other
    stages, or the maker of training candidates, put them.
    """
    ascending = (-scores).masked_fill(~mask, torch.inf).contiguous()
    return torch.searchsorted(ascending.sort(dim=1).values, ascending).float()

"""Searching an approximate index for more than is wanted, so that enough is left after filtering."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from zoo.core.topk import is_member
from zoo.index.query import Metric, Query, by_score
from zoo.index.scan import scan
from zoo.index.table import VectorTable

_FEW = 0.1
"""Share of the vectors below which those that may be found are scanned: a search for most takes longer."""


def over_fetch(
    query: Query, table: VectorTable, metric: Metric, search: Callable[[Tensor, int], Tensor]
) -> tuple[Tensor, Tensor]:
    """Positions and scores `(B, k)` of the best that `search` finds, as `by_score` gives them.

    Every row is searched as wide as it should take, then twice as wide for as long as fewer than `k` are
    left, and in the end exactly. How wide depends on that row alone, so its result is the same whoever else
    is in the batch; rows of one width go together.

    Args:
        query: What is wanted.
        table: The vectors.
        metric: What a score is.
        search: From queries `(R, D)` and a width below N to different ids `(R, width)`, some of which may be
            0 or deleted.
    """
    share = 1.0 if query.places is None else len(query.places) / len(table)
    if share < _FEW:
        return scan(query, table, metric)
    found = torch.full((len(query), query.k), -1, device=query.vectors.device)
    scores = torch.full(found.shape, -torch.inf, device=found.device)
    widths = _first_widths(query, share)
    todo = torch.ones_like(widths, dtype=torch.bool)
    while todo.any():
        for width in widths[todo].unique().tolist():
            rows = (todo & (widths == width)).nonzero()[:, 0]
            part = query.rows(rows)
            if width >= len(table):
                found[rows], scores[rows] = scan(part, table, metric)
            else:
                left = _wanted(part, table, search(part.vectors, width))
                found[rows], scores[rows] = by_score(part, table.vectors, metric, left)
            todo[rows] = (found[rows, -1] < 0) & (width < len(table))
        widths[todo] *= 2
    return found, scores


def _first_widths(query: Query, share: float) -> Tensor:
    """`(B,)`: what is excluded is rounded up to a power of 2, so that there are few different widths."""
    if query.exclude is None:
        extra = torch.zeros(len(query), dtype=torch.int64, device=query.vectors.device)
    else:
        extra = (query.exclude > 0).sum(dim=1)
    rounded = torch.where(extra > 0, 2.0 ** extra.clamp(min=1).double().log2().ceil(), 0)
    return ((query.k + rounded) / share).ceil().long()


def _wanted(query: Query, table: VectorTable, ids: Tensor) -> Tensor:
    """Positions of found `ids` `(B, W)`, -1 for those that are gone or not to be found."""
    if query.exclude is not None:
        ids = ids.masked_fill(is_member(ids, query.exclude), 0)
    found = table.positions(ids)
    if query.places is not None:
        allowed = torch.zeros(len(table.ids) + 1, dtype=torch.bool, device=found.device)
        allowed[query.places] = True
        found = found.masked_fill(~allowed[found], -1)
    return found

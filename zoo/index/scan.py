"""Exact search: every vector is scored, in blocks that stay in cache."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.core.topk import stable_topk
from zoo.index.query import Metric, Query, by_score
from zoo.index.table import VectorTable, positions_in

_BLOCK = 4096
"""Vectors scored at a time: with 64 queries, 1 MiB of scores."""
_SMALL = 1 << 17
"""Up to so many scores, loading the compiled loop takes longer than it saves."""
_SLACK = 8
"""Vectors scored once more behind the k-th: a product of matrices rounds in its own way, and near ties may
fall differently there."""


def scan(query: Query, table: VectorTable, metric: Metric) -> tuple[Tensor, Tensor]:
    """Positions and scores `(B, k)` of the best vectors of `table`, as `by_score` gives them."""
    count = len(table.ids) if query.places is None else len(query.places)
    k = min(query.k + _SLACK, count)
    small = len(query) * count <= _SMALL
    compiled = not small and table.vectors.device.type == "cpu"
    found = (_in_blocks if compiled else _at_once)(query, table, metric, k)
    if query.places is not None and count:
        found = query.places[found].masked_fill(found < 0, -1)
    return by_score(query, table.vectors, metric, found)


def _at_once(query: Query, table: VectorTable, metric: Metric, k: int) -> Tensor:
    """Columns `(B, k)` of the best vectors in any order, -1 where there are too few."""
    if not k:
        return torch.zeros(len(query), 0, dtype=torch.int64, device=table.ids.device)
    scores = _scores(query, table, metric, slice(None))
    exclude = _columns(query, table)
    row, column = (exclude >= 0).nonzero(as_tuple=True)
    scores[row, exclude[row, column]] = -torch.inf
    best, found = stable_topk(scores, k)
    return found.masked_fill(best == -torch.inf, -1)


def _in_blocks(query: Query, table: VectorTable, metric: Metric, k: int) -> Tensor:
    """The same with never more than a block of scores in memory."""
    from zoo.kernels.topk import RunningTopK  # Compiled when it is imported.

    if query.exclude is not None and query.places is None and table.origin is not None:
        best = RunningTopK(len(query), k, query.exclude, table.origin)
    else:
        best = RunningTopK(len(query), k, _columns(query, table))
    for first in range(0, len(table.ids) if query.places is None else len(query.places), _BLOCK):
        best.add(_scores(query, table, metric, slice(first, first + _BLOCK)), first)
    return best.places


def _columns(query: Query, table: VectorTable) -> Tensor:
    """`(B, S)` columns that are excluded, -1 is padding."""
    if query.exclude is None:
        return torch.full((len(query), 0), -1, device=table.ids.device)
    positions = positions_in(table.ids, query.exclude)
    return positions if query.places is None else positions_in(query.places, positions)


def _scores(query: Query, table: VectorTable, metric: Metric, part: slice) -> Tensor:
    rows = table.vectors[part if query.places is None else query.places[part]]
    if metric == "l2":
        # Not by matrix product: its cancellation would reorder vectors close to the query.
        return -torch.cdist(query.vectors, rows, compute_mode="donot_use_mm_for_euclid_dist")
    return query.vectors @ rows.T

"""Top-k that is the same everywhere: best first, equal scores by lower position."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def stable_topk(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The `k` best columns of every row; unlike `torch.topk`, ties always go to the lower column.

    Args:
        scores: `(B, N)`, without NaN.
        k: How many, at least 1; at most N are returned.

    Returns:
        Values and int64 column indices, both `(B, min(k, N))`.
    """
    k = min(k, scores.shape[1])
    index = _columns(scores, k).sort(dim=1).values
    values, order = scores.gather(1, index).sort(dim=1, descending=True, stable=True)
    return values, index.gather(1, order)


def _columns(scores: Tensor, k: int) -> Tensor:
    """The chosen columns `(B, k)` in no particular order."""
    if k == scores.shape[1]:
        return torch.arange(k, device=scores.device).expand(scores.shape)
    values, index = scores.topk(k + 1, dim=1)
    # topk picks arbitrarily among equals, which matters only in rows where the cut runs through a tie.
    tied = values[:, k - 1] == values[:, k]
    index = index[:, :k]
    if tied.any():
        index[tied] = _lowest_columns(scores[tied], values[tied, k - 1 : k], k)
    return index


def _lowest_columns(scores: Tensor, threshold: Tensor, k: int) -> Tensor:
    """Every column above `threshold` `(B, 1)`, filled up to `k` with the first ones equal to it."""
    above, equal = scores > threshold, scores == threshold
    room = k - above.sum(dim=1, keepdim=True)
    keep = above | (equal & (equal.cumsum(dim=1, dtype=torch.int32) <= room))
    return keep.nonzero()[:, 1].view(-1, k)


def without_repeats(ids: Tensor) -> Tensor:
    """`ids` `(B, K)` with 0 in place of every id that stands further left in its row already."""
    if not ids.shape[1]:
        return ids
    ordered, order = ids.sort(dim=1, stable=True)
    repeated = torch.zeros_like(ids, dtype=torch.bool)
    repeated.scatter_(1, order[:, 1:], ordered[:, 1:] == ordered[:, :-1])
    return ids.masked_fill(repeated, 0)


def is_member(ids: Tensor, sets: Tensor) -> Tensor:
    """`(B, K)` bool: whether each id of `ids` `(B, K)` is in that row of `sets` `(B, S)`; 0 never is."""
    if not sets.shape[1]:
        return torch.zeros_like(ids, dtype=torch.bool)
    ordered = sets.sort(dim=1).values
    place = torch.searchsorted(ordered, ids.contiguous()).clamp(max=sets.shape[1] - 1)
    return (ordered.gather(1, place) == ids) & (ids > 0)


def search_beyond(
    k: int, extra: Tensor, search: Callable[[Tensor, int], tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor]:
    """Searches `k` items and, for each row, at least `extra` more, rows of like widths together.

    An approximate index finds more when asked for more. Widths that depend on the row alone, rounded up to
    few different ones, keep a row's result the same whoever else is in the batch.

    Args:
        k: Items wanted of every row.
        extra: `(B,)` how many more each row needs.
        search: From row indices `(R,)` and a width to ids and scores, each `(R, width)` or narrower.

    Returns:
        Ids and scores `(B, W)`, padded with 0 and -inf.
    """
    rounded = torch.where(extra > 0, 2.0 ** extra.clamp(min=1).double().log2().ceil(), 0).long()
    width = k + rounded
    columns = int(width.max()) if len(width) else 0
    ids = torch.zeros(len(width), columns, dtype=torch.int64, device=extra.device)
    scores = torch.full(ids.shape, -torch.inf, device=extra.device)
    for one in width.unique().tolist():
        rows = (width == one).nonzero().squeeze(1)
        found, score = search(rows, one)
        ids[rows, : found.shape[1]], scores[rows, : found.shape[1]] = found, score
    return ids, scores

"""Ranking metrics of every user at once, from ranked item ids and sets of relevant items.

All take int64 `ids` `(B, K)`, ranked best first, and `targets` `(B, T)`, the relevant items in any order; 0
pads both and is never a hit. All return one float32 value per user `(B,)`, NaN for a user without a target.
A target listed twice is one target, and an id ranked twice can hit only at its first position.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.topk import stable_topk


def rank_by_score(scores: Tensor, k: int, exclude: Tensor | None = None) -> Tensor:
    """Full-catalogue top-k by the order of scores alone, so an item scored 0, -1e30 or -inf still ranks.

    Args:
        scores: `(B, N)`, column j is item id j; column 0, padding, is never returned. Ties: lower id first.
        k: Length of the list.
        exclude: `(B, H)` item ids that must not be returned, padded with 0.

    Returns:
        `(B, k)` int64 item ids, 0 where a user has fewer than `k` items left.

    Raises:
        ValueError: `k` is below 1, or a score is NaN and so has no order.
    """
    _check_k(k)
    if scores.isnan().any():
        raise ValueError("scores contain NaN, so they have no order")
    scores = scores if scores.is_floating_point() else scores.double()
    # -inf is kept for what must not be returned: an item that a model scored -inf ranks last instead.
    scores = scores.clamp(min=torch.finfo(scores.dtype).min)
    scores[:, 0] = -torch.inf
    if exclude is not None:
        scores.scatter_(1, exclude, -torch.inf)
    values, ids = stable_topk(scores, k)
    return F.pad(ids.masked_fill(values == -torch.inf, 0), (0, k - ids.shape[1]))


def hits(ids: Tensor, targets: Tensor) -> Tensor:
    """Which positions hold a relevant item for the first time.

    Sorts and bisects the targets, so that no `(B, K, T)` comparison is held in memory.

    Args:
        ids: `(B, K)` ranked item ids.
        targets: `(B, T)` relevant item ids.

    Returns:
        `(B, K)` bool.
    """
    table = F.pad(targets, (0, 1)).sort(dim=1).values
    spot = torch.searchsorted(table, ids.contiguous()).clamp(max=table.shape[1] - 1)
    return (table.gather(1, spot) == ids) & (ids > 0) & ~_repeated(ids)


def num_relevant(targets: Tensor) -> Tensor:
    """How many different targets each user has, `(B,)` int64."""
    return ((targets > 0) & ~_repeated(targets)).sum(dim=1)


def recall_at_k(ids: Tensor, targets: Tensor, k: int) -> Tensor:
    """Share of the relevant items that are among the first `k`: hits / |relevant|."""
    return _num_hits(ids, targets, k) / num_relevant(targets)


def precision_at_k(ids: Tensor, targets: Tensor, k: int) -> Tensor:
    """Share of the first `k` positions that hit; positions that a short list leaves empty are misses."""
    return _defined(_num_hits(ids, targets, k) / k, targets)


def hit_at_k(ids: Tensor, targets: Tensor, k: int) -> Tensor:
    """1 where at least one relevant item is among the first `k`, else 0."""
    return _defined((_num_hits(ids, targets, k) > 0).float(), targets)


def ndcg_at_k(ids: Tensor, targets: Tensor, k: int) -> Tensor:
    """Binary-gain NDCG: discount 1 / log2(1 + rank), ideal list of min(k, |relevant|) hits."""
    _check_k(k)
    found = hits(ids[:, :k], targets).float()
    discount = torch.arange(2, k + 2, device=ids.device).log2().reciprocal()
    ideal = F.pad(discount.cumsum(0), (1, 0))[num_relevant(targets).clamp(max=k)]
    return (found @ discount[: found.shape[1]]) / ideal


def mrr(ids: Tensor, targets: Tensor, k: int | None = None) -> Tensor:
    """1 / rank of the first hit among the first `k` (default: the whole list), 0 without a hit."""
    found = hits(ids[:, :k], targets)
    ranks = torch.arange(1, found.shape[1] + 1, device=ids.device)
    return _defined(F.pad(found / ranks, (0, 1)).amax(dim=1), targets)


def _num_hits(ids: Tensor, targets: Tensor, k: int) -> Tensor:
    _check_k(k)
    return hits(ids[:, :k], targets).sum(dim=1)


def _repeated(ids: Tensor) -> Tensor:
    """`(B, K)` bool, True where the same id stands at an earlier position."""
    ordered, order = ids.sort(dim=1, stable=True)
    before = F.pad(ordered, (1, 0), value=-1)[:, :-1]
    return torch.zeros_like(ids, dtype=torch.bool).scatter(1, order, ordered == before)


def _defined(values: Tensor, targets: Tensor) -> Tensor:
    """`values` `(B,)` with NaN for users without a target."""
    return values.masked_fill(~(targets > 0).any(dim=1), torch.nan)


def _check_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")

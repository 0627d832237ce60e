"""Ranking metrics of every user at once, from ranked item ids and sets of relevant items.

All take int64 `ids` `(B, K)`, ranked best first, and `targets` `(B, T)`, the relevant items in any order; 0
pads both and is never a hit. All return one float32 value per user `(B,)`, NaN for a user without a target.
A target listed twice is one target, and an id ranked twice can hit only at its first position.
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class Hits:
    """Which positions hit, found out once, from which every metric is read off at every cut-off.

    Attributes:
        found: `(B, K)` bool, True where a position holds a relevant item for the first time.
        relevant: `(B,)` int64, how many different relevant items each user has.
    """

    found: Tensor
    relevant: Tensor

    @classmethod
    def of(cls, ids: Tensor, targets: Tensor) -> Hits:
        """From ranked `ids` `(B, K)` and `targets` `(B, T)`.

        Works on pairs of user and item, padding left out: targets are padded to the most that anybody has,
        and most users have few.
        """
        width = max((int(x.max()) for x in (ids, targets) if x.numel()), default=0) + 1
        pairs = _distinct(_pairs(targets, width)[0])
        ranked, place = _pairs(ids, width)
        hit = _among(pairs, ranked)
        ranked, place = ranked[hit], place[hit]
        found = torch.zeros(ids.numel(), dtype=torch.bool, device=ids.device)
        found[place[_first(ranked)]] = True
        relevant = torch.bincount(pairs // width, minlength=len(targets))
        return cls(found.view(ids.shape), relevant)

    def recall(self, k: int) -> Tensor:
        """`recall_at_k`."""
        return self._count(k) / self.relevant

    def precision(self, k: int) -> Tensor:
        """`precision_at_k`."""
        return self._defined(self._count(k) / k)

    def hit(self, k: int) -> Tensor:
        """`hit_at_k`."""
        return self._defined((self._count(k) > 0).float())

    def ndcg(self, k: int) -> Tensor:
        """`ndcg_at_k`."""
        _check_k(k)
        found = self.found[:, :k].float()
        discount = torch.arange(2, k + 2, device=found.device).log2().reciprocal()
        ideal = F.pad(discount.cumsum(0), (1, 0))[self.relevant.clamp(max=k)]
        return (found @ discount[: found.shape[1]]) / ideal

    def mrr(self, k: int | None = None) -> Tensor:
        """`mrr`."""
        found = self.found[:, :k]
        ranks = torch.arange(1, found.shape[1] + 1, device=found.device)
        return self._defined(F.pad(found / ranks, (0, 1)).amax(dim=1))

    def _count(self, k: int) -> Tensor:
        _check_k(k)
        return self.found[:, :k].sum(dim=1)

    def _defined(self, values: Tensor) -> Tensor:
        """`values` `(B,)` with NaN for users without a target."""
        return values.masked_fill(self.relevant == 0, torch.nan)


def hits(ids: Tensor, targets: Tensor) -> Tensor:
    """Which positions hold a relevant item for the first time.

    Args:
        ids: `(B, K)` ranked item ids.
        targets: `(B, T)` relevant item ids.

    Returns:
        `(B, K)` bool.
    """
    return Hits.of(ids, targets).found


def num_relevant(targets: Tensor) -> Tensor:
    """How many different targets each user has, `(B,)` int64."""
    return Hits.of(targets[:, :0], targets).relevant


def recall_at_k(ids: Tensor, targets: Tensor, k: int) -> Tensor:
    """Share of the relevant items that are among the first `k`: hits / |relevant|."""
    _check_k(k)
    return Hits.of(ids[:, :k], targets).recall(k)


def precision_at_k(ids: Tensor, targets: Tensor, k: int) -> Tensor:
    """Share of the first `k` positions that hit; positions that a short list leaves empty are misses."""
    _check_k(k)
    return Hits.of(ids[:, :k], targets).precision(k)


def hit_at_k(ids: Tensor, targets: Tensor, k: int) -> Tensor:
    """1 where at least one relevant item is among the first `k`, else 0."""
    _check_k(k)
    return Hits.of(ids[:, :k], targets).hit(k)


def ndcg_at_k(ids: Tensor, targets: Tensor, k: int) -> Tensor:
    """Binary-gain NDCG: discount 1 / log2(1 + rank), ideal list of min(k, |relevant|) hits."""
    _check_k(k)
    return Hits.of(ids[:, :k], targets).ndcg(k)


def mrr(ids: Tensor, targets: Tensor, k: int | None = None) -> Tensor:
    """1 / rank of the first hit among the first `k` (default: the whole list), 0 without a hit."""
    return Hits.of(ids[:, :k], targets).mrr()


def _pairs(ids: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """One number for every user and item in `ids` `(B, L)`, row by row, and its place; padding left out."""
    place = (ids.flatten() > 0).nonzero()[:, 0]
    row = place // max(1, ids.shape[1])
    return row * width + ids.flatten()[place], place


def _distinct(values: Tensor) -> Tensor:
    """Each of `values` `(N,)` once, ascending."""
    values = values.sort().values
    return values[F.pad(values[1:] != values[:-1], (1, 0), value=True)[: len(values)]]


def _first(values: Tensor) -> Tensor:
    """`(N,)` bool, True where a value stands for the first time."""
    ordered, order = values.sort(stable=True)
    first = F.pad(ordered[1:] != ordered[:-1], (1, 0), value=True)[: len(values)]
    return torch.zeros_like(first).scatter(0, order, first)


def _among(ascending: Tensor, values: Tensor) -> Tensor:
    """`(N,)` bool, whether each of `values` is one of `ascending`."""
    # The last entry is for values above all.
    spot = torch.searchsorted(ascending, values)
    return F.pad(ascending, (0, 1), value=-1)[spot] == values


def _check_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")

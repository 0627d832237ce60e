"""Pooled and grouped metrics of click-like predictions; sums are kept in float64.

AUC in all its forms raises ValueError when a score is NaN.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_CHUNK = 1 << 23
"""Most weights (replicates x samples) expanded at a time, 64 MiB of them."""


def auc(scores: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Area under the ROC curve: the chance that a positive outranks a negative, a tie counting half.

    Args:
        scores: `(N,)`, anything monotone in the probability.
        labels: `(N,)` 0 or 1.
        weights: `(N,)` sample weights, 1 by default.

    Returns:
        Float64 scalar, NaN when one of the classes is missing.
    """
    order = _ascending(scores)
    rows = torch.ones_like(scores) if weights is None else weights
    return _areas(labels[order], _runs(scores[order]), rows[order][None])[0]


def auc_replicates(scores: Tensor, labels: Tensor, group: Tensor, weights: Tensor) -> Tensor:
    """AUC under every user resample of a bootstrap, from one sort.

    Args:
        scores: `(N,)`.
        labels: `(N,)` 0 or 1.
        group: `(N,)` int64 index of each sample's user, below U.
        weights: `(R, U)` how often each replicate drew each user.

    Returns:
        `(R,)` float64, NaN for a replicate that lacks a class.
    """
    order = _ascending(scores)
    labels, group, runs = labels[order], group[order], _runs(scores[order])
    step = max(1, _CHUNK // max(1, len(scores)))
    return torch.cat([_areas(labels, runs, part[:, group]) for part in torch.split(weights, step)])


def gauc(
    scores: Tensor, labels: Tensor, group: Tensor, num_groups: int | None = None
) -> tuple[Tensor, Tensor]:
    """Mean AUC within groups (users), each group weighted by its number of samples.

    Groups with a single class have no AUC and are left out of the mean.

    Args:
        scores: `(N,)`.
        labels: `(N,)` 0 or 1.
        group: `(N,)` int64 index of each sample's group.
        num_groups: U; by default the largest index + 1.

    Returns:
        Float64 scalar (NaN when no group has both classes) and per-group AUC `(U,)`, NaN where left out.
    """
    if num_groups is None:
        num_groups = int(group.max()) + 1 if len(group) else 0
    order = _ascending(scores)
    order = order[group[order].argsort(stable=True)]
    runs = _runs(scores[order], group[order])
    owner = group[order][runs[:-1]]
    positives, negatives = _cumulative(labels[order], runs, torch.ones_like(scores)[None])
    of_group = torch.zeros(2, num_groups, dtype=torch.float64, device=scores.device)
    of_group.index_add_(1, owner, torch.cat([positives.diff(), negatives.diff()]))
    # The curve runs on over all groups: each group's own starts at the negatives of those before it.
    base = of_group[1].cumsum(0) - of_group[1]
    heights = (negatives[0, 1:] + negatives[0, :-1]) / 2 - base[owner]
    area = torch.zeros_like(base).index_add_(0, owner, positives[0].diff() * heights)
    per_group = area / of_group.prod(dim=0)
    size = of_group.sum(dim=0).where(per_group.isfinite(), 0)
    return (per_group.nan_to_num() * size).sum() / size.sum(), per_group


def log_loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean (weighted) negative log-likelihood in nats, stable for logits of any size.

    Args:
        logits: `(N,)`, not probabilities.
        labels: `(N,)` 0 or 1.
        weights: `(N,)` sample weights, 1 by default.

    Returns:
        Float64 scalar, NaN without samples.
    """
    loss = F.binary_cross_entropy_with_logits(logits.double(), labels.double(), reduction="none")
    return loss.mean() if weights is None else (loss * weights).sum() / weights.double().sum()


def _ascending(scores: Tensor) -> Tensor:
    """Order `(N,)` of rising scores; a score that is NaN would pass for the highest."""
    if scores.isnan().any():
        raise ValueError("scores contain NaN, so they have no order")
    return scores.argsort()


def _runs(*keys: Tensor) -> Tensor:
    """Bounds of the runs in which all sorted keys `(N,)` are constant: run b is `bounds[b]:bounds[b + 1]`."""
    change = torch.ones_like(keys[0], dtype=torch.bool)
    change[1:] = torch.stack([key[1:] != key[:-1] for key in keys]).any(dim=0)
    return F.pad(change, (0, 1), value=True).nonzero()[:, 0]


def _cumulative(labels: Tensor, runs: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weight of the positives and of the negatives up to each bound, both `(R, runs)`."""
    total = F.pad(weights.double().cumsum(dim=1), (1, 0))[:, runs]
    positives = F.pad((weights.double() * labels).cumsum(dim=1), (1, 0))[:, runs]
    return positives, total - positives


def _areas(labels: Tensor, runs: Tensor, weights: Tensor) -> Tensor:
    """AUC `(R,)` of sorted samples under weights `(R, N)`; the trapezoid rule gives a tie its half."""
    positives, negatives = _cumulative(labels, runs, weights)
    area = torch.trapezoid(negatives, positives, dim=1)
    return area / (positives[:, -1] * negatives[:, -1])

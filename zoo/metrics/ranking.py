"""Ranking metrics as torchmetrics classes: the mean over users who have a target."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from zoo.metrics import functional


class MeanOverUsers(Metric):
    """Mean of per-user values; users whose value is NaN are left out."""

    full_state_update = False
    is_differentiable = False
    higher_is_better: bool | None = True
    total: Tensor
    users: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("users", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def compute(self) -> Tensor:
        """The mean over all updates, NaN when no user had a value."""
        return self.total / self.users

    def _add(self, values: Tensor) -> None:
        self.total += values.nansum(dtype=torch.float64)
        self.users += (~values.isnan()).sum()


class _AtK(MeanOverUsers):
    """A per-user metric of the first `k` positions."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k


class RecallAtK(_AtK):
    """Mean of `functional.recall_at_k`."""

    def update(self, ids: Tensor, targets: Tensor) -> None:
        """Add users with ranked `ids` `(B, K)` and relevant `targets` `(B, T)`."""
        self._add(functional.recall_at_k(ids, targets, self.k))


class PrecisionAtK(_AtK):
    """Mean of `functional.precision_at_k`."""

    def update(self, ids: Tensor, targets: Tensor) -> None:
        """Add users with ranked `ids` `(B, K)` and relevant `targets` `(B, T)`."""
        self._add(functional.precision_at_k(ids, targets, self.k))


class HitAtK(_AtK):
    """Mean of `functional.hit_at_k`."""

    def update(self, ids: Tensor, targets: Tensor) -> None:
        """Add users with ranked `ids` `(B, K)` and relevant `targets` `(B, T)`."""
        self._add(functional.hit_at_k(ids, targets, self.k))


class NDCGAtK(_AtK):
    """Mean of `functional.ndcg_at_k`."""

    def update(self, ids: Tensor, targets: Tensor) -> None:
        """Add users with ranked `ids` `(B, K)` and relevant `targets` `(B, T)`."""
        self._add(functional.ndcg_at_k(ids, targets, self.k))


class MRR(MeanOverUsers):
    """Mean of `functional.mrr` over whole lists."""

    def update(self, ids: Tensor, targets: Tensor) -> None:
        """Add users with ranked `ids` `(B, K)` and relevant `targets` `(B, T)`."""
        self._add(functional.mrr(ids, targets))

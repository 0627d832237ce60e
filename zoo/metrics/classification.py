"""Metrics of click-like predictions as torchmetrics classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from zoo.metrics import functional


class _Pooled(Metric):
    """Keeps every sample, because the metric needs all of them in one order."""

    full_state_update = False
    is_differentiable = False
    scores: Any
    labels: Any

    def __init__(self) -> None:
        super().__init__()
        self.add_state("scores", [], dist_reduce_fx="cat")
        self.add_state("labels", [], dist_reduce_fx="cat")

    def update(self, scores: Tensor, labels: Tensor) -> None:
        """Add samples: `scores` and 0/1 `labels`, both `(N,)`."""
        self.scores.append(scores.detach())
        self.labels.append(labels.detach())

    def _samples(self) -> tuple[Tensor, Tensor]:
        return dim_zero_cat(self.scores), dim_zero_cat(self.labels)


class AUC(_Pooled):
    """`functional.auc` over all samples."""

    higher_is_better = True

    def compute(self) -> Tensor:
        """AUC, NaN when one of the classes is missing."""
        return functional.auc(*self._samples())


class ECE(_Pooled):
    """`functional.ece` over all samples, whose scores must be probabilities."""

    higher_is_better = False

    def __init__(self, bins: int = 15) -> None:
        super().__init__()
        self.bins = bins

    def compute(self) -> Tensor:
        """Expected calibration error over equal-frequency bins."""
        return functional.ece(*self._samples(), self.bins)


class GAUC(Metric):
    """`functional.gauc` over all samples: groups of a single class are left out."""

    full_state_update = False
    is_differentiable = False
    higher_is_better = True
    scores: Any
    labels: Any
    group: Any

    def __init__(self) -> None:
        super().__init__()
        for name in ("scores", "labels", "group"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, scores: Tensor, labels: Tensor, group: Tensor) -> None:
        """Add samples: `scores`, 0/1 `labels` and int64 `group` index, all `(N,)`."""
        self.scores.append(scores.detach())
        self.labels.append(labels.detach())
        self.group.append(group)

    def compute(self) -> Tensor:
        """Mean AUC of the groups by their number of samples."""
        scores, labels, group = (dim_zero_cat(state) for state in (self.scores, self.labels, self.group))
        return functional.gauc(scores, labels, group)[0]


class _Ratio(Metric):
    """One sum over another."""

    full_state_update = False
    above: Tensor
    below: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("above", "below"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def compute(self) -> Tensor:
        """The ratio over all updates, NaN when there is nothing to divide by."""
        return (self.above / self.below).where(self.below > 0, torch.nan)


class LogLoss(_Ratio):
    """`functional.log_loss` over all samples."""

    is_differentiable = True
    higher_is_better = False

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add samples: `logits` and 0/1 `labels`, both `(N,)`."""
        if len(logits):
            self.above += functional.log_loss(logits, labels) * len(logits)
        self.below += len(logits)


class PCOC(_Ratio):
    """`functional.pcoc` over all samples; best at 1."""

    is_differentiable = False
    higher_is_better = None

    def update(self, probabilities: Tensor, labels: Tensor) -> None:
        """Add samples: `probabilities` and 0/1 `labels`, both `(N,)`."""
        self.above += probabilities.double().sum()
        self.below += labels.double().sum()

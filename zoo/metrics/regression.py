"""Metrics of predicted numbers as torchmetrics classes."""

from __future__ import annotations

from torch import Tensor

from zoo.metrics import functional
from zoo.metrics.classification import _Pooled, _Ratio


class MAE(_Ratio):
    """`functional.mae` over all samples."""

    is_differentiable = True
    higher_is_better = False

    def update(self, predicted: Tensor, actual: Tensor) -> None:
        """Add samples: `predicted` and `actual` numbers, both `(N,)`."""
        self.above += (predicted.double() - actual.double()).abs().sum()
        self.below += len(actual)


class XAUC(_Pooled):
    """`functional.xauc` over all samples."""

    higher_is_better = True

    def compute(self) -> Tensor:
        """XAUC, NaN where all numbers are the same."""
        return functional.xauc(*self._samples())

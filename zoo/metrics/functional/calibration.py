"""How far predicted probabilities are from observed rates; sums are kept in float64."""

from __future__ import annotations

import torch
from torch import Tensor


def pcoc(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Predicted over observed clicks: 1 is calibrated, above 1 promises too much.

    Args:
        probabilities: `(N,)` in [0, 1].
        labels: `(N,)` 0 or 1.

    Returns:
        Float64 scalar, NaN when nothing was observed.
    """
    observed = labels.double().sum()
    return (probabilities.double().sum() / observed).where(observed > 0, torch.nan)


def ece(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Tensor:
    """Expected calibration error over equal-frequency bins: mean |predicted - observed| by bin size.

    Bin edges are quantiles of the predictions; equal predictions share a bin, so the order of samples is of
    no effect and heavily tied predictions fill fewer bins.

    Args:
        probabilities: `(N,)` in [0, 1].
        labels: `(N,)` 0 or 1.
        bins: Most bins to use.

    Returns:
        Float64 scalar, NaN without samples.
    """
    size = len(probabilities)
    gap = torch.zeros(bins, dtype=torch.float64, device=probabilities.device)
    if size:
        cuts = torch.arange(1, bins, device=gap.device) * size // bins
        where = torch.bucketize(probabilities, probabilities.sort().values[cuts], right=True)
        gap.index_add_(0, where, probabilities.double() - labels.double())
    return gap.abs().sum().div(size)

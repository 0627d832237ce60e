"""How far predicted numbers, such as seconds, are from the true ones, and how well they order them."""

from __future__ import annotations

import torch
from torch import Tensor


def mae(predicted: Tensor, actual: Tensor) -> Tensor:
    """Mean absolute error.

    Args:
        predicted: `(N,)`.
        actual: `(N,)`, in the same unit, which is that of the result.

    Returns:
        Float64 scalar, NaN without samples.
    """
    return (predicted.double() - actual.double()).abs().mean()


def xauc(predicted: Tensor, actual: Tensor) -> Tensor:
    """The chance that of two samples with different numbers the larger one is predicted to be larger.

    A tie of predictions counts half. For labels 0 and 1 it is the AUC. "Deconfounding Duration Bias in
    Watch-time Prediction for Video Recommendation" (Zhan et al., KDD 2022,
    https://doi.org/10.1145/3534678.3539092); unlike there it is of all pairs and not of a sample, counted in
    O(N log² N).

    Args:
        predicted: `(N,)`, in any unit.
        actual: `(N,)`.

    Returns:
        Float64 scalar, NaN where all numbers are the same.

    Raises:
        ValueError: A number is NaN, and so has no order.
    """
    if predicted.isnan().any() or actual.isnan().any():
        raise ValueError("numbers contain NaN, so they have no order")
    rank, label = (x.unique(return_inverse=True)[1] for x in (predicted, actual))
    # Ascending labels, and descending predictions among equal ones, of which no pair then counts as won.
    order = (label * (len(rank) + 1) + len(rank) - rank).argsort()
    won = _rising_pairs(rank[order])
    both = label * (len(rank) + 1) + rank
    tied = _equal_pairs(rank) - _equal_pairs(both)
    pairs = -_equal_pairs(label) + len(rank) * (len(rank) - 1) / 2
    area: Tensor = (won + tied / 2) / pairs
    return area.where(pairs > 0, torch.nan)


def _equal_pairs(values: Tensor) -> Tensor:
    """How many pairs of samples have the same value, float64."""
    count: Tensor = values.unique(return_counts=True)[1].double()
    return (count * (count - 1) / 2).sum()


def _rising_pairs(rank: Tensor) -> Tensor:
    """How many pairs have the smaller number, of `(N,)` from 0 on, first: counted while halves are merged."""
    size, total = 1, torch.zeros((), dtype=torch.float64, device=rank.device)
    # What fills up the last halves is smaller than all, and behind them, so it wins nothing.
    width = 1 << max(0, len(rank) - 1).bit_length()
    rank = torch.cat([rank, rank.new_full((width - len(rank),), -1)])
    while size < width:
        halves = rank.view(-1, 2, size)
        left, right = halves[:, 0].contiguous(), halves[:, 1].contiguous()
        total += torch.searchsorted(left, right).sum()
        # Those before -1 of a left half are none, as nothing is smaller.
        rank, size = halves.reshape(-1, 2 * size).sort(dim=1).values, 2 * size
    return total

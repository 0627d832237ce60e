"""Losses that score each example on its own."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def masked_bce(
    logits: Tensor, labels: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
) -> Tensor:
    """Binary cross-entropy from logits, averaged over the entries that count.

    Args:
        logits: Any shape.
        labels: Same shape, 0 or 1; what a masked entry holds, NaN included, is of no effect.
        mask: Same shape, True where the entry counts; everywhere by default.
        weight: Same shape, weights of the mean; equal by default.

    Returns:
        Scalar; 0 with zero gradients when no entry counts.
    """
    if mask is not None:
        # Replaced before the loss: a NaN multiplied by 0 afterwards would still reach the gradient.
        logits, labels = logits.where(mask, 0), labels.where(mask, 0)
    loss = F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
    return weighted_mean(loss, mask, weight)


def weighted_mean(loss: Tensor, mask: Tensor | None = None, weight: Tensor | None = None) -> Tensor:
    """Mean of `loss` over unmasked entries by `weight`, 0 (with zero gradients) when nothing weighs anything.

    Args:
        loss: Any shape, finite also where masked.
        mask: Same shape, bool.
        weight: Same shape, not negative; may be anything where masked.

    Returns:
        Scalar.
    """
    weight = loss.new_ones(loss.shape) if weight is None else weight.to(loss.dtype)
    if mask is not None:
        weight = weight.where(mask, 0)
    total = weight.sum()
    return (loss * weight).sum() / total.where(total > 0, 1)

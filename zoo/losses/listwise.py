"""Losses on the order of one request's candidates."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.losses.pointwise import weighted_mean


def softmax_listwise(scores: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of a request's positives against all its candidates, every request with the same weight.

    ListNet's top-one loss with the labels as target distribution (Cao et al., ICML 2007).

    Args:
        scores: `(B, K)`.
        labels: `(B, K)`, not negative.
        mask: `(B, K)` bool, True where there is a candidate.

    Returns:
        Scalar, the mean over requests that have a positive; 0 if none has.
    """
    log_share = scores.masked_fill(~mask, -torch.inf).log_softmax(dim=1).masked_fill(~mask, 0)
    labels = labels.where(mask, 0)
    total = labels.sum(1)
    loss = -(log_share * labels).sum(1) / total.where(total > 0, 1)
    return weighted_mean(loss, total > 0)

"""Losses that set the positives of each row against negatives, on scores or cosines.

All take flat positives, so that rows may have different numbers of them, and an `importance` of negatives,
the log of 1 / q up to a constant where they were drawn with probability q. With it a mean over the negatives
estimates that over a uniform draw, and a sum of exponentials that over the whole catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.losses.pointwise import weighted_mean


@dataclass(frozen=True)
class Contrast:
    """The scores of a batch.

    Attributes:
        positive: `(E,)`.
        row: `(E,)` int64, the row of each positive.
        negative: `(B, N)`, of the negatives of each row.
        keep: `(B, N)` bool, False for what is no negative of that row.
        importance: `(N,)` or `(B, N)` -log q of each negative; 0 by default.
        own: `(E,)` -log q of each positive, which `listwise` needs as well; 0 by default.
        weight: `(E,)` weights of the mean over positives; equal by default.
    """

    positive: Tensor
    row: Tensor
    negative: Tensor
    keep: Tensor
    importance: Tensor | None = None
    own: Tensor | None = None
    weight: Tensor | None = None

    def mean(self, loss: Tensor) -> Tensor:
        """Scalar, the weighted mean of `loss` `(E,)`."""
        return weighted_mean(loss, weight=self.weight)

    def over_negatives(self, loss: Tensor) -> Tensor:
        """`(B,)` the mean of `loss` `(B, N)` over each row's negatives, by importance; 0 without any."""
        return (loss * self.shares).sum(1)

    @property
    def shares(self) -> Tensor:
        """`(B, N)` what each negative counts in a mean over its row."""
        if self.importance is None:
            return self.keep / self.keep.sum(1, keepdim=True).clamp(min=1)
        log_share = self.importance.expand(self.keep.shape).masked_fill(~self.keep, -torch.inf)
        return log_share.softmax(dim=1).nan_to_num()


def softmax_contrast(scores: Contrast, temperature: float) -> Tensor:
    """Cross-entropy of each positive against itself and the negatives of its row.

    Logits are score / temperature - log q ("Quick Training of Probabilistic Neural Nets by Importance
    Sampling", Bengio and Senécal, AISTATS 2003).
    """
    negative, positive = scores.negative / temperature, scores.positive / temperature
    if scores.importance is not None:
        negative = negative + scores.importance
    if scores.own is not None:
        positive = positive + scores.own
    # -1e9 instead of -inf: a row without any negative has no loss, and its gradient stays finite.
    rest = negative.masked_fill(~scores.keep, -1e9).logsumexp(dim=1)
    return scores.mean(F.softplus(rest[scores.row] - positive))


def sampled_bce(scores: Contrast, temperature: float, negative_weight: float) -> Tensor:
    """Binary cross-entropy of each positive, plus `negative_weight` times the mean one of its negatives.

    With n negatives and a weight of n this is the sum over 1 positive and n negatives; the course's ratio is
    1 : 2 to 1 : 3.
    """
    wrong = scores.over_negatives(F.softplus(scores.negative / temperature))
    return scores.mean(F.softplus(-scores.positive / temperature) + negative_weight * wrong[scores.row])


def triplet_hinge(scores: Contrast, margin: float) -> Tensor:
    """Mean over a positive's negatives of max(0, negative + margin - positive).

    "Learning Fine-Grained Image Similarity with Deep Ranking" (Wang et al., CVPR 2014).
    """
    return _pairwise(scores, lambda gap: F.relu(gap + margin))


def triplet_logistic(scores: Contrast, sigma: float) -> Tensor:
    """Mean over a positive's negatives of log(1 + exp(sigma (negative - positive)))."""
    return _pairwise(scores, lambda gap: F.softplus(sigma * gap))


def cosine_contrastive(scores: Contrast, margin: float, negative_weight: float) -> Tensor:
    """(1 - positive) + weight times the mean over negatives of max(0, negative - margin), on cosines.

    "SimpleX: A Simple and Strong Baseline for Collaborative Filtering" (Mao et al., CIKM 2021,
    https://arxiv.org/abs/2109.12613).
    """
    wrong = scores.over_negatives(F.relu(scores.negative - margin))
    return scores.mean(1 - scores.positive + negative_weight * wrong[scores.row])


def _pairwise(scores: Contrast, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """Takes memory in proportion to positives times negatives."""
    gap = scores.negative[scores.row] - scores.positive[:, None]
    return scores.mean((loss(gap) * scores.shares[scores.row]).sum(1))

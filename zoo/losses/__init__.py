"""Loss functions on logits and embeddings; each returns a scalar."""

from zoo.losses.contrast import (
    Contrast,
    cosine_contrastive,
    sampled_bce,
    softmax_contrast,
    triplet_hinge,
    triplet_logistic,
)
from zoo.losses.pointwise import masked_bce
from zoo.losses.sampled_softmax import StreamingFrequency, in_batch_softmax

__all__ = [
    "Contrast",
    "StreamingFrequency",
    "cosine_contrastive",
    "in_batch_softmax",
    "masked_bce",
    "sampled_bce",
    "softmax_contrast",
    "triplet_hinge",
    "triplet_logistic",
]

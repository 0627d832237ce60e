"""Loss functions on logits and embeddings; each returns a scalar."""

from zoo.losses.pointwise import masked_bce
from zoo.losses.sampled_softmax import StreamingFrequency, in_batch_softmax

__all__ = ["StreamingFrequency", "in_batch_softmax", "masked_bce"]

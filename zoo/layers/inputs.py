"""What most rank models start from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.core.schema import Feature
from zoo.core.types import Batch
from zoo.layers.embedding import FeatureEmbedding, id_table
from zoo.layers.histories import Histories
from zoo.layers.history import history_mean


class RequestInput(nn.Module):
    """`(B, dim)`: request-level features, and the mean of a history's item embeddings.

    Args:
        features: Request-level, histories not counted.
        history: The sequence to average, or None.
        embed_dim: Of every embedding.
        history_length: Newest events used.
        half_life: Of an event's weight, in events; None for a plain mean.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        history: Feature | None,
        embed_dim: int,
        history_length: int = 50,
        half_life: float | None = None,
    ) -> None:
        super().__init__()
        self.features = FeatureEmbedding(features, embed_dim)
        self.sequence = history.name if history else None
        self.dim = self.features.dim
        if history:
            self.table = id_table(history.vocab, embed_dim)
            self.length, self.half_life = history_length, half_life
            self.dim += embed_dim

    def forward(self, batch: Batch) -> Tensor:
        """`(B, dim)`."""
        parts = [self.features(batch)]
        if self.sequence:
            parts.append(history_mean(self.table, batch[self.sequence][:, : self.length], self.half_life))
        return torch.cat(parts, dim=-1)


class TwoLevelInput(nn.Module):
    """Features and histories as a vector of the request and one of each candidate.

    Args:
        request: Features of the request; may be none.
        candidate: Features of a candidate.
        histories: What is read of the past.
        embed_dim: Of every embedding.

    Attributes:
        request_dim: Width of the request's vector.
        candidate_dim: Width of a candidate's vector.
        dim: Of both together.
    """

    def __init__(
        self, request: Sequence[Feature], candidate: Sequence[Feature], histories: Histories, embed_dim: int
    ) -> None:
        super().__init__()
        self.of_request = FeatureEmbedding(request, embed_dim) if request else None
        self.of_candidate = FeatureEmbedding(candidate, embed_dim)
        self.histories = histories
        self.request_dim = histories.request_dim + (self.of_request.dim if self.of_request else 0)
        self.candidate_dim = histories.candidate_dim + self.of_candidate.dim
        self.dim = self.request_dim + self.candidate_dim

    def request(self, batch: Batch) -> Tensor:
        """`(B, request_dim)`."""
        past = self.histories.request(batch)
        return torch.cat([self.of_request(batch), past], dim=-1) if self.of_request else past

    def candidate(self, batch: Batch) -> Tensor:
        """`(B, K, candidate_dim)`."""
        return torch.cat([self.of_candidate(batch), self.histories.candidate(batch)], dim=-1)

    def forward(self, batch: Batch) -> Tensor:
        """`(B, K, dim)`."""
        return per_candidate(self.request(batch), self.candidate(batch))


def per_candidate(request: Tensor, candidate: Tensor) -> Tensor:
    """`(B, K, Dr + Dc)` from `(B, Dr)` and `(B, K, Dc)`."""
    return torch.cat([request[:, None].expand(-1, candidate.shape[1], -1), candidate], dim=-1)

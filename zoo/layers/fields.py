"""Features as fields, vectors of one width, as factorisation machines and their descendants take them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.core.schema import Feature
from zoo.core.types import Batch
from zoo.layers.embedding import FeatureEmbedding
from zoo.layers.histories import Histories
from zoo.layers.inputs import per_candidate


class FieldEmbedding(nn.Module):
    """`(…, F, D)`: the embedding of an id, the mean of several, a standardised number times a vector.

    Args:
        features: With the same leading dimensions in a batch.
        embed_dim: D.
        init_std: Of the normal initialisation.

    Attributes:
        size: F.
    """

    def __init__(self, features: Sequence[Feature], embed_dim: int, init_std: float = 0.01) -> None:
        super().__init__()
        self.features, self.embed_dim = FeatureEmbedding(features, embed_dim, init_std), embed_dim
        numbers, self.size = len(self.features.numeric), len(features)
        self.numbers = nn.Parameter(torch.randn(numbers, embed_dim) * init_std) if numbers else None

    def forward(self, batch: Batch) -> Tensor:
        """`(…, F, D)`, ids first."""
        values, ids = self.features(batch), len(self.features.ids)
        fields = values[..., : ids * self.embed_dim].unflatten(-1, (ids, self.embed_dim))
        if self.numbers is None:
            return fields
        return torch.cat([fields, values[..., ids * self.embed_dim :, None] * self.numbers], dim=-2)


class Fields(nn.Module):
    """All that a ranker reads as fields of two levels; a history is one more field of its level.

    Args:
        request: Features of the request; may be none.
        candidate: Features of a candidate.
        histories: Brought to the width of a field by a linear layer.
        embed_dim: D.

    Attributes:
        size: Number of fields of both levels.
    """

    def __init__(
        self, request: Sequence[Feature], candidate: Sequence[Feature], histories: Histories, embed_dim: int
    ) -> None:
        super().__init__()
        self.of_request = FieldEmbedding(request, embed_dim) if request else None
        self.of_candidate, self.embed_dim = FieldEmbedding(candidate, embed_dim), embed_dim
        self.histories = histories
        dims = (histories.request_dim, histories.candidate_dim)
        self.past, self.relevant = (nn.Linear(dim, embed_dim) if dim else None for dim in dims)
        self.size = len(request) + len(candidate) + sum(dim > 0 for dim in dims)

    def request(self, batch: Batch) -> Tensor:
        """`(B, Fr, D)`."""
        fields = [self.of_request(batch)] if self.of_request else []
        if self.past is not None:
            fields.append(self.past(self.histories.request(batch))[:, None])
        nothing = self.of_candidate.features.mean.new_zeros(len(batch["item_id"]), 0, self.embed_dim)
        return torch.cat(fields, dim=1) if fields else nothing

    def candidate(self, batch: Batch) -> Tensor:
        """`(B, K, Fc, D)`."""
        fields: Tensor = self.of_candidate(batch)
        if self.relevant is None:
            return fields
        return torch.cat([fields, self.relevant(self.histories.candidate(batch))[..., None, :]], dim=-2)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """`(B, Fr, D)` and `(B, K, Fc, D)`."""
        return self.request(batch), self.candidate(batch)


class FirstOrder(nn.Module):
    """`(B, K)` by task: Σ w_i x_i, one weight per id and per standardised number.

    Args:
        request: Features of the request; may be none.
        candidate: Features of a candidate.
        tasks: Their names; they share nothing.
    """

    def __init__(
        self, request: Sequence[Feature], candidate: Sequence[Feature], tasks: Sequence[str]
    ) -> None:
        super().__init__()
        self.tasks = list(tasks)
        self.of_request = FieldEmbedding(request, len(tasks)) if request else None
        self.of_candidate = FieldEmbedding(candidate, len(tasks))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """`(B, K)` by task."""
        total = self.of_candidate(batch).sum(-2)
        if self.of_request:
            total = total + self.of_request(batch).sum(-2)[:, None]
        return dict(zip(self.tasks, total.unbind(-1), strict=True))


def pair_products(request: Tensor, candidate: Tensor) -> Tensor:
    """`(B, K, D)`: Σ_{i<j} x_i ∘ x_j over the fields of both levels, in O(F·D).

    It is ½((Σ x_i)² − Σ x_i²), of which the request's sums are computed once for all candidates. The sum over
    D is the second order of a factorisation machine.

    Args:
        request: `(B, Fr, D)`.
        candidate: `(B, K, Fc, D)`.
    """
    total = request.sum(1)[:, None] + candidate.sum(2)
    squares = request.square().sum(1)[:, None] + candidate.square().sum(2)
    return (total.square() - squares) / 2


def flat(request: Tensor, candidate: Tensor) -> Tensor:
    """`(B, K, (Fr + Fc)·D)`: all fields of `(B, Fr, D)` and `(B, K, Fc, D)` side by side."""
    return per_candidate(request.flatten(1), candidate.flatten(2))

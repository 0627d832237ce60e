"""Fields weighed by importance, and a matrix between every two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.errors import UserError
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.layers.bilinear import Bilinear, Product, SENet, Sharing
from zoo.layers.fields import Fields, FirstOrder
from zoo.layers.heads import make_heads
from zoo.layers.histories import Histories
from zoo.layers.mlp import MLP
from zoo.training import RankConfig, RankModel


@dataclass(frozen=True)
class FiBiNETConfig(RankConfig):
    """Options of `rank/fibinet`, besides those of every rank model.

    Attributes:
        embed_dim: Of every embedding.
        senet: Whether fields are weighed, and the weighed ones interact beside the plain ones.
        reduction: How many times narrower the layer between is that weighs them.
        bilinear: What shares a matrix: all pairs, those of each left field, or none but one interaction.
        product: `hadamard` for `(W x_i) ∘ x_j`, a vector a pair, or `inner` for the number `x_jᵀ W x_i`.
        hidden: Widths of the MLP.
        dropout: In the MLP.
    """

    embed_dim: int = 8
    senet: bool = True
    reduction: int = 3
    bilinear: Sharing = "interaction"
    product: Product = "hadamard"
    hidden: list[int] = field(default_factory=lambda: [64, 32])
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        demand((self.reduction >= 1, f"reduction must be at least 1, found {self.reduction}"))


@register
class FiBiNET(RankModel):
    """SENet on fields and bilinear interactions of pairs, below an MLP and beside first-order weights.

    "FiBiNET: Combining Feature Importance and Bilinear feature Interaction for Click-Through Rate Prediction"
    (Huang et al., RecSys 2019, https://doi.org/10.1145/3298689.3347043). Unlike in the paper, numbers are
    fields too, the product may be an inner one, and the matrices of plain and of weighed fields are the same.
    """

    Config: ClassVar[type[ModelConfig]] = FiBiNETConfig

    def __init__(self, schema: Schema, config: FiBiNETConfig) -> None:
        super().__init__(schema, config)
        levels = (self.request_features, self.candidate_features)
        self.linear = FirstOrder(*levels, self.outputs)
        histories = Histories(schema, config.history, config.embed_dim)
        self.fields = Fields(*levels, histories, config.embed_dim)
        if self.fields.size < 2:
            raise UserError("rank/fibinet: one feature is left, and it takes two to interact")
        self.senet = SENet(self.fields.size, config.reduction) if config.senet else None
        self.bilinear = Bilinear(self.fields.size, config.embed_dim, config.bilinear, config.product)
        dim = self.bilinear.dim * (2 if config.senet else 1)
        self.mlp = MLP(dim, config.hidden, config.dropout)
        self.heads = make_heads(config.head, self.outputs, self.mlp.dim)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task and value."""
        request, candidate = self.fields(batch)
        pairs = self.bilinear(request, candidate)
        if self.senet is not None:
            weighed = self.senet(request, candidate)
            pairs = torch.cat([pairs, self.bilinear(request[:, :0], weighed)], dim=-1)
        linear, deep = self.linear(batch), self.heads(self.mlp(pairs))
        return {name: linear[name] + deep[name] for name in self.outputs}

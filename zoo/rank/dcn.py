"""Explicit crosses along one vector a layer, beside an MLP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from zoo.core.config import ModelConfig
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.layers.cross import CrossNet
from zoo.layers.heads import make_heads
from zoo.layers.histories import Histories
from zoo.layers.inputs import TwoLevelInput
from zoo.layers.mlp import MLP
from zoo.training import RankConfig, RankModel


@dataclass(frozen=True)
class DCNConfig(RankConfig):
    """Options of `rank/dcn`, besides those of every rank model.

    Attributes:
        embed_dim: Of every embedding.
        num_layers: Cross layers.
        hidden: Widths of the MLP.
        dropout: In the MLP.
    """

    embed_dim: int = 8
    num_layers: int = 2
    hidden: list[int] = field(default_factory=lambda: [64, 32])
    dropout: float = 0.1


@register
class DCN(RankModel):
    """A cross network, whose layers have a vector each, and an MLP beside it.

    "Deep & Cross Network for Ad Click Predictions" (Wang et al., ADKDD 2017,
    https://doi.org/10.1145/3124749.3124754). Unlike in the paper, there is no batch normalisation, and
    several tasks may share all below their heads.
    """

    Config: ClassVar[type[ModelConfig]] = DCNConfig

    def __init__(self, schema: Schema, config: DCNConfig) -> None:
        super().__init__(schema, config)
        histories = Histories(schema, config.history, config.embed_dim)
        levels = (self.request_features, self.candidate_features)
        self.input = TwoLevelInput(*levels, histories, config.embed_dim)
        self.crosses = CrossNet(self.input.dim, config.num_layers)
        self.mlp = MLP(self.input.dim, config.hidden, config.dropout)
        self.heads = make_heads(config.head, self.outputs, self.input.dim + self.mlp.dim)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task and value."""
        x = self.input(batch)
        logits: dict[str, Tensor] = self.heads(torch.cat([self.crosses(x), self.mlp(x)], dim=-1))
        return logits

"""A factorisation machine and an MLP on the same embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from zoo.core.config import ModelConfig
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.layers.fields import Fields, FirstOrder, flat, pair_products
from zoo.layers.heads import LinearHeads, make_heads
from zoo.layers.histories import Histories
from zoo.layers.mlp import MLP
from zoo.training import RankConfig, RankModel


@dataclass(frozen=True)
class DeepFMConfig(RankConfig):
    """Options of `rank/deepfm`, besides those of every rank model.

    Attributes:
        embed_dim: Of every embedding, which is also the number of factors.
        hidden: Widths of the MLP.
        dropout: In the MLP.
    """

    embed_dim: int = 8
    hidden: list[int] = field(default_factory=lambda: [64, 32])
    dropout: float = 0.1


@register
class DeepFM(RankModel):
    """A factorisation machine beside an MLP, with the same embeddings.

    "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction" (Guo et al., IJCAI 2017,
    https://doi.org/10.24963/ijcai.2017/239). Unlike in the paper, there may be several tasks: they share the
    MLP, and each weighs the dimensions of the products of pairs, by 1 at first.
    """

    Config: ClassVar[type[ModelConfig]] = DeepFMConfig

    def __init__(self, schema: Schema, config: DeepFMConfig) -> None:
        super().__init__(schema, config)
        levels = (self.request_features, self.candidate_features)
        self.linear = FirstOrder(*levels, self.outputs)
        histories = Histories(schema, config.history, config.embed_dim)
        self.fields = Fields(*levels, histories, config.embed_dim)
        self.pairs = LinearHeads(self.outputs, config.embed_dim).as_sums()
        self.mlp = MLP(self.fields.size * config.embed_dim, config.hidden, config.dropout)
        self.heads = make_heads(config.head, self.outputs, self.mlp.dim)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task and value."""
        fields = self.fields(batch)
        linear, pairs = self.linear(batch), self.pairs(pair_products(*fields))
        deep = self.heads(self.mlp(flat(*fields)))
        return {name: linear[name] + pairs[name] + deep[name] for name in self.outputs}

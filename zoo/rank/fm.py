"""Pairwise interactions of all features through factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from zoo.core.config import ModelConfig
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.layers.fields import Fields, FirstOrder, pair_products
from zoo.layers.heads import LinearHeads, make_heads
from zoo.layers.histories import Histories
from zoo.training import RankConfig, RankModel


@dataclass(frozen=True)
class FMConfig(RankConfig):
    """Options of `rank/fm`, besides those of every rank model.

    Attributes:
        embed_dim: Number of factors.
    """

    embed_dim: int = 8


@register
class FactorizationMachine(RankModel):
    """A factorisation machine: `b + Σ w_i x_i + Σ_{i<j} ⟨v_i, v_j⟩ x_i x_j`.

    It takes time linear in the number of features, and sums those of a request once for all candidates.

    "Factorization Machines" (Rendle, ICDM 2010, https://doi.org/10.1109/ICDM.2010.127). Unlike in the paper,
    tasks share the factors, and each weighs their dimensions: `Σ_d h_d v_id v_jd` with `h` 1 at first. A
    `head` other than single reads the products, as "Neural Factorization Machines" do (He and Chua, SIGIR
    2017).
    """

    Config: ClassVar[type[ModelConfig]] = FMConfig

    def __init__(self, schema: Schema, config: FMConfig) -> None:
        super().__init__(schema, config)
        levels = (self.request_features, self.candidate_features)
        self.linear = FirstOrder(*levels, self.outputs)
        histories = Histories(schema, config.history, config.embed_dim)
        self.fields = Fields(*levels, histories, config.embed_dim)
        self.heads = make_heads(config.head, self.outputs, config.embed_dim)
        if isinstance(self.heads, LinearHeads):
            self.heads.as_sums()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task and value."""
        linear, pairs = self.linear(batch), self.heads(pair_products(*self.fields(batch)))
        return {name: linear[name] + pairs[name] for name in self.outputs}

"""Explicit crosses of bounded degree beside, or under, an MLP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.layers.cross import CrossNetV2
from zoo.layers.embedding import FeatureEmbedding
from zoo.layers.heads import make_heads
from zoo.layers.histories import Histories
from zoo.layers.inputs import RequestInput, per_candidate
from zoo.layers.mlp import MLP
from zoo.training import RankConfig, RankModel


@dataclass(frozen=True)
class DCNv2Config(RankConfig):
    """Options of `rank/dcn_v2`, besides those of every rank model.

    Attributes:
        embed_dim: Of every embedding.
        num_layers: Cross layers.
        hidden: Widths of the MLP.
        dropout: In the MLP.
        structure: The MLP beside the crosses (`parallel`) or on top of them (`stacked`).
        behaviour: History whose mean is a feature of the request; empty for none. `history` can do more.
        history_length: Newest events of it.
        half_life: An event weighs half after this many newer ones; None for a plain mean.
    """

    embed_dim: int = 8
    num_layers: int = 2
    hidden: list[int] = field(default_factory=lambda: [64, 32])
    dropout: float = 0.1
    structure: Literal["parallel", "stacked"] = "parallel"
    behaviour: str = ""
    history_length: int = 50
    half_life: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        both = bool(self.behaviour) and self.history.kind != "none"
        demand((not both, "behaviour is another word for history of kind lastn_mean: name one of them"))


@register
class DCNv2(RankModel):
    """Full-rank feature crosses and an MLP.

    "DCN V2: Improved Deep & Cross Network and Practical Lessons for Web-Scale Learning to Rank Systems"
    (Wang et al., WWW 2021, https://doi.org/10.1145/3442381.3450078). Unlike in the paper, one trunk serves
    several tasks below any head, and there is no mixture of low-rank experts.
    """

    Config: ClassVar[type[ModelConfig]] = DCNv2Config

    def __init__(self, schema: Schema, config: DCNv2Config) -> None:
        super().__init__(schema, config)
        history = schema.history(config.behaviour) if config.behaviour else None
        mean = (history, config.embed_dim, config.history_length, config.half_life)
        self.request = RequestInput(self.request_features, *mean)
        self.candidate = FeatureEmbedding(self.candidate_features, config.embed_dim)
        self.histories = past = Histories(schema, config.history, config.embed_dim)
        dim = self.request.dim + past.request_dim + self.candidate.dim + past.candidate_dim
        self.crosses = CrossNetV2(dim, config.num_layers)
        self.mlp = MLP(dim, config.hidden, config.dropout)
        self.stacked = config.structure == "stacked"
        width = self.mlp.dim if self.stacked else dim + self.mlp.dim
        self.heads = make_heads(config.head, self.outputs, width)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task and value."""
        request = torch.cat([self.request(batch), self.histories.request(batch)], dim=-1)
        candidate = torch.cat([self.candidate(batch), self.histories.candidate(batch)], dim=-1)
        x = per_candidate(request, candidate)
        crossed = self.crosses(x)
        trunk = self.mlp(crossed) if self.stacked else torch.cat([crossed, self.mlp(x)], dim=-1)
        logits: dict[str, Tensor] = self.heads(trunk)
        return logits

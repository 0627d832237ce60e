"""Explicit crosses of bounded degree beside, or under, an MLP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from zoo.core.config import ModelConfig, demand
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.layers.cross import CrossNetV2
from zoo.layers.embedding import FeatureEmbedding
from zoo.layers.histories import Histories, HistoryConfig
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
        history: What of the past counts, for the request or for each candidate.
    """

    embed_dim: int = 8
    num_layers: int = 2
    hidden: list[int] = field(default_factory=lambda: [64, 32])
    dropout: float = 0.1
    structure: Literal["parallel", "stacked"] = "parallel"
    behaviour: str = ""
    history_length: int = 50
    half_life: float | None = None
    history: HistoryConfig = field(default_factory=HistoryConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        both = bool(self.behaviour) and self.history.kind != "none"
        demand((not both, "behaviour is another word for history of kind lastn_mean: name one of them"))


@register
class DCNv2(RankModel):
    """Full-rank feature crosses and an MLP.

    "DCN V2: Improved Deep & Cross Network and Practical Lessons for Web-Scale Learning to Rank Systems"
    (Wang et al., WWW 2021, https://doi.org/10.1145/3442381.3450078). Unlike in the paper, one trunk serves
    several tasks, each with a linear head, and there is no mixture of low-rank experts.
    """

    Config: ClassVar[type[ModelConfig]] = DCNv2Config
    learns_values = True

    def __init__(self, schema: Schema, config: DCNv2Config) -> None:
        super().__init__(schema, config)
        history = schema.history(config.behaviour) if config.behaviour else None
        features = self.used("user", "context")
        past = (history, config.embed_dim, config.history_length, config.half_life)
        self.request = RequestInput(features, *past)
        candidate = self.used("item_id", "item", "item_stat", "column", "cross")
        self.candidate = FeatureEmbedding(candidate, config.embed_dim)
        self.history = Histories(schema, config.history, config.embed_dim)
        dim = self.request.dim + self.candidate.dim + self.history.request_dim + self.history.candidate_dim
        self.crosses = CrossNetV2(dim, config.num_layers)
        self.mlp = MLP(dim, config.hidden, config.dropout)
        self.stacked = config.structure == "stacked"
        width = self.mlp.dim if self.stacked else dim + self.mlp.dim
        self.heads = nn.ModuleDict({name: nn.Linear(width, 1) for name in self.outputs})

    def attach_catalogue(self, catalogue: Batch) -> None:
        """Gives the history what it needs of items."""
        self.history.attach(catalogue)

    def prepare(self, catalogue: Batch) -> None:
        """Likewise, before serving."""
        self.history.attach(catalogue)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task and value."""
        request = torch.cat([self.request(batch), self.history.request(batch)], dim=-1)
        candidate = torch.cat([self.candidate(batch), self.history.candidate(batch)], dim=-1)
        x = per_candidate(request, candidate)
        crossed = self.crosses(x)
        trunk = self.mlp(crossed) if self.stacked else torch.cat([crossed, self.mlp(x)], dim=-1)
        return {name: head(trunk).squeeze(-1) for name, head in self.heads.items()}

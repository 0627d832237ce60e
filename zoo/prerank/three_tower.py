"""A user tower run once, an item tower cached, and a small cross tower run for every candidate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.layers.embedding import FeatureEmbedding
from zoo.layers.heads import make_heads
from zoo.layers.histories import Histories
from zoo.layers.inputs import RequestInput
from zoo.layers.mlp import MLP
from zoo.training import RankConfig, RankModel


@dataclass(frozen=True)
class ThreeTowerConfig(RankConfig):
    """Options of `prerank/three_tower`, besides those of every rank model.

    Attributes:
        embed_dim: Of every embedding.
        user_hidden: Widths of the user tower, the large one; the last is also what the others put out.
        item_hidden: Hidden widths of the item tower.
        cross_hidden: Hidden widths of the cross tower.
        top_hidden: Hidden widths above the three.
        dropout: In all of them.
        behaviour: History whose mean the user tower sees, besides `history`; empty for none.
        history_length: Newest events of it.
        half_life: An event weighs half after this many newer ones; None for a plain mean.
    """

    embed_dim: int = 8
    user_hidden: list[int] = field(default_factory=lambda: [64, 16])
    item_hidden: list[int] = field(default_factory=lambda: [32])
    cross_hidden: list[int] = field(default_factory=lambda: [32])
    top_hidden: list[int] = field(default_factory=lambda: [32])
    dropout: float = 0.1
    behaviour: str = ""
    history_length: int = 50
    half_life: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        kind, once = self.history.kind, ("none", "lastn_mean")
        demand((
            kind in once,
            f"history: kind {kind} looks at each candidate, which a user tower, run once a request, never "
            f"sees; expected {' or '.join(once)}",
        ))  # fmt: skip


@register
class ThreeTower(RankModel):
    """COLD's three towers: user, item and cross.

    Statistics, columns of earlier stages and crosses go to the cross tower, all that never changes for an
    item to the item tower, whose output `prepare` caches.

    "COLD: Towards the Next Generation of Pre-Ranking System" (Wang et al., 2020,
    https://arxiv.org/abs/2007.16122). Unlike in the paper, features are not selected by SE blocks.
    """

    Config: ClassVar[type[ModelConfig]] = ThreeTowerConfig
    cache: Tensor

    def __init__(self, schema: Schema, config: ThreeTowerConfig) -> None:
        super().__init__(schema, config)
        history = schema.history(config.behaviour) if config.behaviour else None
        past = (history, config.embed_dim, config.history_length, config.half_life)
        self.request = RequestInput(self.request_features, *past)
        self.item = FeatureEmbedding(self.used("item_id", "item"), config.embed_dim)
        self.cross = FeatureEmbedding(self.used("item_stat", "column", "cross"), config.embed_dim)
        self.histories = Histories(schema, config.history, config.embed_dim)
        width, dim = config.user_hidden[-1], self.request.dim + self.histories.request_dim
        self.user_tower = MLP(dim, config.user_hidden, config.dropout)
        self.item_tower = MLP(self.item.dim, config.item_hidden, config.dropout, width)
        self.cross_tower = MLP(self.cross.dim, config.cross_hidden, config.dropout, width)
        self.top = MLP(4 * width, config.top_hidden, config.dropout)
        self.heads = make_heads(config.head, self.outputs, self.top.dim)
        self.register_buffer("cache", torch.zeros(0, width), persistent=False)

    @torch.no_grad()
    def prepare(self, catalogue: Batch) -> None:
        """Runs the item tower over the catalogue."""
        super().prepare(catalogue)
        self.cache = self.item_tower(self.item(catalogue))

    def train(self, mode: bool = True) -> ThreeTower:
        """Training makes the cache stale, so it is dropped."""
        if mode:
            self.cache = self.cache[:0]
        return super().train(mode)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task and value."""
        request = torch.cat([self.request(batch), self.histories.request(batch)], dim=-1)
        user = self.user_tower(request)[:, None]
        item = self.cache[batch["item_id"]] if len(self.cache) else self.item_tower(self.item(batch))
        cross = self.cross_tower(self.cross(batch))
        top = self.top(torch.cat([user.expand_as(item), item, user * item, cross], dim=-1))
        logits: dict[str, Tensor] = self.heads(top)
        return logits

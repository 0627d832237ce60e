"""One weight per feature value: the baseline of ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from zoo.core.config import ModelConfig
from zoo.core.registry import register
from zoo.core.schema import Feature, Schema
from zoo.core.types import Batch
from zoo.layers.embedding import FeatureEmbedding
from zoo.training import RankConfig, RankModel


@dataclass(frozen=True)
class LRConfig(RankConfig):
    """Options of `rank/lr`: those of every rank model."""


@register
class LogisticRegression(RankModel):
    """Logistic regression: one weight per id and per standardised number.

    "Predicting Clicks: Estimating the Click-Through Rate for New Ads" (Richardson, Dominowska, Ragno, WWW
    2007, https://doi.org/10.1145/1242572.1242643). Unlike in the paper, several tasks are fitted at once;
    they share nothing.
    """

    Config: ClassVar[type[ModelConfig]] = LRConfig

    def __init__(self, schema: Schema, config: LRConfig) -> None:
        super().__init__(schema, config)
        request = self.used("user", "context")
        candidate = self.used("item_id", "item", "item_stat", "column", "cross")
        self.request = nn.ModuleDict({task.name: Linear(request) for task in self.tasks})
        self.candidate = nn.ModuleDict({task.name: Linear(candidate) for task in self.tasks})

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task."""
        return {
            task.name: self.request[task.name](batch)[:, None] + self.candidate[task.name](batch)
            for task in self.tasks
        }


class Linear(nn.Module):
    """`(…)` sum of one weight per id and per number, and a bias."""

    def __init__(self, features: Sequence[Feature]) -> None:
        super().__init__()
        self.weights = FeatureEmbedding(features, embed_dim=1)
        self.sum = nn.Linear(self.weights.dim, 1)

    def forward(self, batch: Batch) -> Tensor:
        """`(…)` for features `(…)`."""
        return self.sum(self.weights(batch)).squeeze(-1)

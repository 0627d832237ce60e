"""One weight per feature value: the baseline of ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from zoo.core.config import ModelConfig, demand
from zoo.core.registry import register
from zoo.core.schema import Feature, Schema
from zoo.core.types import Batch
from zoo.layers.embedding import FeatureEmbedding
from zoo.layers.heads import LinearHeads
from zoo.layers.histories import Histories
from zoo.layers.inputs import per_candidate
from zoo.training import RankConfig, RankModel


@dataclass(frozen=True)
class LRConfig(RankConfig):
    """Options of `rank/lr`, besides those of every rank model.

    Attributes:
        embed_dim: Of the items of a history, whose vector is weighed as numbers are.
    """

    embed_dim: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = self.head.kind
        demand((kind == "single", f"head: kind {kind} is of networks, and this is none; expected single"))


@register
class LogisticRegression(RankModel):
    """Logistic regression: one weight per id and per standardised number.

    "Predicting Clicks: Estimating the Click-Through Rate for New Ads" (Richardson, Dominowska, Ragno, WWW
    2007, https://doi.org/10.1145/1242572.1242643). Unlike in the paper, several tasks are fitted at once;
    they share nothing but the embeddings of a history, where one is read.
    """

    Config: ClassVar[type[ModelConfig]] = LRConfig

    def __init__(self, schema: Schema, config: LRConfig) -> None:
        super().__init__(schema, config)
        request, candidate = self.request_features, self.candidate_features
        self.request = nn.ModuleDict({name: Linear(request) for name in self.outputs})
        self.candidate = nn.ModuleDict({name: Linear(candidate) for name in self.outputs})
        self.histories = Histories(schema, config.history, config.embed_dim)
        dim = self.histories.request_dim + self.histories.candidate_dim
        self.past = LinearHeads(self.outputs, dim) if dim else None

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task and value."""
        logits = {
            name: self.request[name](batch)[:, None] + self.candidate[name](batch) for name in self.outputs
        }
        if self.past is None:
            return logits
        past = self.past(per_candidate(self.histories.request(batch), self.histories.candidate(batch)))
        return {name: logit + past[name] for name, logit in logits.items()}


class Linear(nn.Module):
    """`(…)` sum of one weight per id and per number, and a bias."""

    def __init__(self, features: Sequence[Feature]) -> None:
        super().__init__()
        self.weights = FeatureEmbedding(features, embed_dim=1)
        self.sum = nn.Linear(self.weights.dim, 1)

    def forward(self, batch: Batch) -> Tensor:
        """`(…)` for features `(…)`."""
        return self.sum(self.weights(batch)).squeeze(-1)

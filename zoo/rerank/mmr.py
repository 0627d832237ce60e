"""Trade what an item earns against how much it repeats the list so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.errors import UserError
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.types import Batch, Candidates, Request
from zoo.training import RerankModel

PADDING = torch.finfo(torch.float32).min
"""Value of a place without candidate: below every candidate's, above what is already taken."""


@dataclass(frozen=True)
class MMRConfig(ModelConfig):
    """Options of `rerank/mmr`.

    Attributes:
        keep: Length of the list.
        theta: Weight of the reward; 1 keeps the order of the scores, 0 looks at similarity only.
        window: Only the last so many chosen count as the list so far; None for all.
        feature: The multi-valued item feature whose cosine is the similarity.
        scale: Divide each request's rewards by their largest, so that `theta` means the same for all.
    """

    keep: int = 20
    theta: float = 0.9
    window: int | None = None
    feature: str = "genres"
    scale: bool = True

    def __post_init__(self) -> None:
        demand(
            (self.keep >= 1, f"keep must be at least 1, found {self.keep}"),
            (0 <= self.theta <= 1, f"theta must be in [0, 1], found {self.theta}"),
            (self.window is None or self.window >= 1, "window must be at least 1 or null"),
        )


@register
class MMR(RerankModel):
    """Maximal marginal relevance: `argmax_i θ·reward_i − (1 − θ)·max_{j ∈ W} sim(i, j)`, step by step.

    "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries" (Carbonell,
    Goldstein, SIGIR 1998, https://doi.org/10.1145/290941.291025). Unlike in the paper, W may be the last
    few chosen only.
    """

    Config: ClassVar[type[ModelConfig]] = MMRConfig
    vectors: Tensor

    def __init__(self, schema: Schema, config: MMRConfig) -> None:
        super().__init__(schema, config)
        self.config = config
        feature = schema[config.feature]
        if feature.kind != "multi" or feature.role != "item":
            found = f"{feature.kind} of role {feature.role}"
            raise UserError(f"rerank/mmr: feature {config.feature!r} is {found}, expected multi of role item")
        self.register_buffer("vectors", torch.zeros(schema.n_items + 1, feature.vocab - 1))

    def prepare(self, catalogue: Batch) -> None:
        """Makes the unit vectors whose inner product is the similarity."""
        values = catalogue[self.config.feature]
        hot = F.one_hot(values, self.schema[self.config.feature].vocab).amax(-2)[..., 1:].float()
        self.vectors = F.normalize(hot, dim=-1)

    def forward(self, request: Request, candidates: Candidates, keep: int | None = None) -> Candidates:
        """The `keep` best (by default as in the config) by marginal relevance; ties go by position."""
        if not candidates.ids.shape[1]:
            return candidates
        reward = candidates.scores.masked_fill(~candidates.mask, 0)
        if self.config.scale:
            reward = reward / reward.abs().amax(1, keepdim=True).clamp(min=1e-12)
        config = self.config if keep is None else replace(self.config, keep=keep)
        chosen = greedy(reward, candidates.mask, self.vectors[candidates.ids], config)
        return candidates.take(chosen)


def greedy(reward: Tensor, mask: Tensor, vectors: Tensor, config: MMRConfig) -> Tensor:
    """`(B, keep)` positions in the order chosen, for all requests at once; padding comes last.

    Args:
        reward: `(B, K)`, K at least 1.
        mask: `(B, K)` bool, True where there is a candidate.
        vectors: `(B, K, D)` unit vectors or zero.
        config: `keep`, `theta` and `window`.
    """
    similarity = vectors @ vectors.mT
    rows = torch.arange(len(reward), device=reward.device)
    chosen: list[Tensor] = []
    nearest, free = torch.zeros_like(reward), torch.ones_like(mask)
    for step in range(min(config.keep, reward.shape[1])):
        if config.window and step > config.window:  # one has left the window, so the maximum is taken anew
            recent = torch.stack(chosen[-config.window :], dim=1)
            nearest = similarity.gather(1, recent[..., None].expand(-1, -1, reward.shape[1])).amax(1)
        value = config.theta * reward - (1 - config.theta) * nearest
        value = value.masked_fill(~mask, PADDING).masked_fill(~free, -torch.inf)
        best = value.argmax(1)
        free[rows, best] = False
        chosen.append(best)
        nearest = torch.maximum(nearest, similarity[rows, best])
    return torch.stack(chosen, dim=1)

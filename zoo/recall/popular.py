"""What everybody likes: the baseline that personal models must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.types import Batch, Request
from zoo.training import CountingModel


@dataclass(frozen=True)
class PopularConfig(ModelConfig):
    """Options of `recall/popular`.

    Attributes:
        behaviour: Events that count.
        half_life_days: An event counts half after this many days; None for all the same.
    """

    behaviour: str = "watch"
    half_life_days: float | None = None

    def __post_init__(self) -> None:
        sane = self.half_life_days is None or self.half_life_days > 0
        demand((sane, "half_life_days must be above 0 or null"))


@register
class Popular(CountingModel):
    """The most chosen items, the same for everybody.

    "Performance of Recommender Algorithms on Top-N Recommendation Tasks" (Cremonesi, Koren, Turrin, RecSys
    2010, https://doi.org/10.1145/1864708.1864721). Unlike the paper's TopPop, which counts all ratings, the
    behaviour that counts is chosen, and old events may weigh less.
    """

    Config: ClassVar[type[ModelConfig]] = PopularConfig
    counts: Tensor

    def __init__(self, schema: Schema, config: PopularConfig) -> None:
        super().__init__(schema, config)
        self.behaviour, self.half_life = schema.history(config.behaviour).of, config.half_life_days
        self.register_buffer("counts", torch.zeros(schema.n_items + 1))

    def start(self) -> None:
        """All counts are 0."""
        self.counts.zero_()

    def count(self, batch: Batch) -> None:
        """Adds the users' events."""
        ids, age = batch[f"history:{self.behaviour}"], batch[f"age:{self.behaviour}"]
        weight = (ids > 0).float()
        if self.half_life is not None:
            weight = weight * 0.5 ** (age / self.half_life)
        self.counts.index_add_(0, ids.flatten(), weight.flatten())

    def finish(self) -> None:
        """Nothing is left to do: padding weighed 0."""

    def search(self, request: Request, k: int) -> tuple[Tensor, Tensor]:
        """The same list for everybody."""
        scores, ids = self.counts[1:].sort(descending=True, stable=True)
        return (ids[:k] + 1).expand(len(request), -1), scores[:k].expand(len(request), -1)

    def score(self, request: Request, ids: Tensor) -> Tensor:
        """`(B, K)` counts."""
        return self.counts[ids]

"""Items that the same users chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from zoo.core.config import ModelConfig
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.training import Likers, NeighbourConfig, NeighbourModel, liked_together


@dataclass(frozen=True)
class ItemCFConfig(NeighbourConfig):
    """Options of `recall/item_cf`; the defaults are the plain cosine of the course.

    Attributes:
        popularity_power: α of `sim(j, i) = Σ like·like / (n_j n_i)^α`; ½ is the cosine.
        seed_power: α of the history item's popularity n_j alone; None for `popularity_power`.
        target_power: α of the recommended item's popularity n_i alone; None for `popularity_power`.
        activity_power: Each user's votes are divided by the user's number of liked items to this power.
    """

    popularity_power: float = 0.5
    seed_power: float | None = None
    target_power: float | None = None
    activity_power: float = 0.0


@register
class ItemCF(NeighbourModel):
    """Items similar to those in the history: `score(u, i) = Σ_j w_j · sim(j, i)`.

    "Item-Based Collaborative Filtering Recommendation Algorithms" (Sarwar, Karypis, Konstan, Riedl, WWW
    2001, https://doi.org/10.1145/371920.372071). Unlike in the paper, likes are binary, and the power of
    the popularity, the users' activity and the age of a history item may be weighed.
    """

    Config: ClassVar[type[ModelConfig]] = ItemCFConfig

    def __init__(self, schema: Schema, config: ItemCFConfig) -> None:
        super().__init__(schema, config)
        self.config = config

    def similar(self, likes: Likers) -> tuple[Any, Any, Any]:
        """The items chosen most by the same users, each relative to its popularity."""
        config, default = self.config, self.config.popularity_power
        seed = default if config.seed_power is None else config.seed_power
        target = default if config.target_power is None else config.target_power
        own, other = (seed, target) if config.keep == "seed" else (target, seed)
        return liked_together(likes, config.neighbours, own, other, config.activity_power)

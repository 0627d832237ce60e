"""Items that pairs of users with little else in common both chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from zoo.core.config import ModelConfig, demand
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.training import Likers, NeighbourConfig, NeighbourModel, power


@dataclass(frozen=True)
class SwingConfig(NeighbourConfig):
    """Options of `recall/swing`; the defaults are those of the course.

    Attributes:
        alpha: α, added to the overlap of two users; the smaller, the more small circles are weighted down.
        activity_power: A user counts by the number of liked items to minus this power; the paper's is ½.
        seed_power: The history item's popularity to this power divides the similarity.
        target_power: The recommended item's popularity to this power divides the similarity.
        max_users: Most users of an item that are paired; of a more popular one so many are drawn.
        seed: Of the draw.
    """

    alpha: float = 1.0
    activity_power: float = 0.0
    seed_power: float = 0.0
    target_power: float = 0.0
    max_users: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(
            (self.alpha > 0, f"alpha must be above 0, found {self.alpha}"),
            (self.max_users >= 2, f"max_users must be at least 2, found {self.max_users}"),
            (self.seed >= 0, f"seed must not be negative, found {self.seed}"),
        )


@register
class Swing(NeighbourModel):
    """Items that users like together who otherwise do not: `sim(i, j) = Σ_u Σ_{v≠u} 1 / (α + |J_u ∩ J_v|)`.

    "Large Scale Product Graph Construction for Recommendation in E-commerce" (Yang et al., 2020,
    https://arxiv.org/abs/2010.05525). Unlike in the paper, users weigh the same unless `activity_power` is
    set, popularity may divide the sum, and of an item's users W_i at most `max_users` are paired: those whose
    seeded hash with the item is largest. The sum over them is scaled to all pairs, so that its expectation
    is right; work per item is bounded by the draw and not by popularity, and a rare neighbour of a popular
    item, with few common users, is missed or overrated by chance.
    """

    Config: ClassVar[type[ModelConfig]] = SwingConfig

    def __init__(self, schema: Schema, config: SwingConfig) -> None:
        super().__init__(schema, config)
        self.config = config

    def similar(self, likes: Likers) -> tuple[Any, Any, Any]:
        """The items with the highest swing."""
        from zoo.kernels.swing import swing

        config = self.config
        by_item, by_user = (likes.offsets, likes.likers), likes.by_user()
        popularity, activity = likes.popularity, np.diff(by_user[0])
        scales = [power(popularity, p) for p in (config.seed_power, config.target_power)]
        users = likes.users, power(activity, config.activity_power)
        options = (float(config.alpha), config.max_users, config.seed)
        own = scales if config.keep == "seed" else scales[::-1]
        return swing(by_item, by_user, users, tuple(own), options, config.neighbours)

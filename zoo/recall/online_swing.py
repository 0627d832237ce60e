"""Items that pairs of users with little else in common both chose, as of the last event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from zoo.core.config import ModelConfig, demand
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.training import Likers, Live, NeighbourConfig, OnlineModel


@dataclass(frozen=True)
class OnlineSwingConfig(NeighbourConfig):
    """Options of `recall/online_swing`; `keep` can only be `seed`.

    Attributes:
        alpha: α, added to the overlap of two users; the smaller, the more small circles are weighted down.
        max_users: Most users of an item that are paired; of a more popular one so many are drawn.
        seed: Of the draw.
    """

    alpha: float = 1.0
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
class OnlineSwing(OnlineModel):
    """`recall/swing` that is exact after every event, for the users that its hash draws.

    "Large Scale Product Graph Construction for Recommendation in E-commerce" (Yang et al., 2020,
    https://arxiv.org/abs/2010.05525). Unlike in the paper, which builds the graph once a day, an event marks
    the items whose drawn users it concerns, and their rows are made anew when they are asked for. Users and
    popularity do not weigh, since an event would change the rows of all items that share a user with its own.

    `model.update(user, item)` adds an event.
    """

    Config: ClassVar[type[ModelConfig]] = OnlineSwingConfig

    def __init__(self, schema: Schema, config: OnlineSwingConfig) -> None:
        super().__init__(schema, config)
        self.config = config

    def similar(self, likes: Likers) -> tuple[Any, Any, Any]:
        """The items with the highest swing."""
        from zoo.kernels.swing import swing

        by_item, ones = (likes.offsets, likes.likers), np.ones(len(likes.popularity), np.float32)
        users = likes.users, np.ones(len(likes.users), np.float32)
        options, k = options_of(self.config), self.config.neighbours
        return swing(by_item, likes.by_user(), users, (ones, ones), options, k)

    def open(self, likes: Likers) -> Live:
        """Users by item, items by user."""
        return Swings(likes, self.config)


def options_of(config: OnlineSwingConfig) -> tuple[float, int, int]:
    """As the kernels want them."""
    return float(config.alpha), config.max_users, config.seed


class Swings(Live):
    """Who likes what, both ways."""

    def __init__(self, likes: Likers, config: OnlineSwingConfig) -> None:
        from zoo.kernels.rows import Rows

        super().__init__(likes, config.neighbours)
        size = len(likes.popularity)
        self.options = options_of(config)
        self.likers = Rows(*self.by_item)
        self.keys, self.floors = likes.users.copy(), np.zeros(size, np.uint64)
        self.ones = np.ones(size, np.float32)

    def new_user(self, key: int) -> None:
        """Users are drawn by their keys."""
        from zoo.kernels.rows import grown

        number = len(self.liked) - 1
        self.keys = grown(self.keys, number + 1)
        self.keys[number] = key

    def like(self, user: int, item: int, others: Any) -> None:
        """Adds a user to an item, and marks what else was made from this user's likes."""
        from zoo.kernels.swing import mark_drawn

        self.likers.append(item, user)
        self.stale[item] = True
        mark_drawn(self.keys[user], others, self.floors, self.options[2], self.stale)

    def refresh(self, rows: Any) -> None:
        """Adds up the swing of each row."""
        from zoo.kernels.swing import swing_rows

        by_item, by_user = ((x.starts, x.sizes, x.pool) for x in (self.likers, self.liked))
        users = self.keys, np.ones(len(self.keys), np.float32)
        scales = self.ones, self.ones
        swing_rows(rows, by_item, by_user, users, scales, self.options, self.kept, self.floors)

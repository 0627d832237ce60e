"""Items that the same users chose, as of the last event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from zoo.core.config import ModelConfig
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.training import Likers, Live, NeighbourConfig, OnlineModel, liked_together, power


@dataclass(frozen=True)
class OnlineItemCFConfig(NeighbourConfig):
    """Options of `recall/online_item_cf`; `keep` can only be `seed`.

    Attributes:
        seed_power: α of the history item's popularity in `sim(j, i) = Σ like·like / (n_j^α n_i^β)`.
        target_power: β of the recommended item's popularity; both ½ are the cosine.
    """

    seed_power: float = 0.5
    target_power: float = 0.5


@register
class OnlineItemCF(OnlineModel):
    """`recall/item_cf` that is exact after every event: `score(u, i) = Σ_j w_j · sim(j, i)`.

    "TencentRec: Real-time Stream Recommendation in Practice" (Huang, Cui, Zhang, Jiang, Xu, SIGMOD 2015,
    https://doi.org/10.1145/2723372.2742785). Unlike in the paper, counts are exact, likes are binary and
    never age, and no pair is pruned; a row of the table is made anew when it is asked for. Users' activity
    does not weigh, since an event would change all pairs of its user.

    `model.update(user, item)` adds an event.
    """

    Config: ClassVar[type[ModelConfig]] = OnlineItemCFConfig

    def __init__(self, schema: Schema, config: OnlineItemCFConfig) -> None:
        super().__init__(schema, config)
        self.config = config

    def similar(self, likes: Likers) -> tuple[Any, Any, Any]:
        """The items chosen most by the same users, each relative to its popularity."""
        config = self.config
        return liked_together(likes, config.neighbours, config.seed_power, config.target_power)

    def open(self, likes: Likers) -> Live:
        """Counts of all pairs."""
        return Counts(likes, self.config)


class Counts(Live):
    """How many users like both of any two items."""

    def __init__(self, likes: Likers, config: OnlineItemCFConfig) -> None:
        from zoo.kernels.together import Together

        super().__init__(likes, config.neighbours)
        self.powers = config.seed_power, config.target_power
        self.popularity = likes.popularity
        self.own, self.others = (power(self.popularity, exponent) for exponent in self.powers)
        self.floors = np.zeros(len(self.popularity), np.float32)
        self.pairs = Together(self.by_item, self.by_user)

    def like(self, user: int, item: int, others: Any) -> None:
        """Counts the item with all others of the user."""
        from zoo.kernels.together import mark

        self.pairs.add(item, others)
        self.popularity[item] += 1
        before = self.others[item]
        count = self.popularity[item : item + 1]
        self.own[item], self.others[item] = (power(count, exponent)[0] for exponent in self.powers)
        self.stale[item] = True
        self.stale[others] = True
        mark(item, before, self.own, self.others, self.floors, self.pairs.of(item), self.stale)

    def refresh(self, rows: Any) -> None:
        """Goes through the counts of each row."""
        from zoo.kernels.together import keep_best

        pairs = self.pairs.keys, self.pairs.counts
        keep_best(rows, self.pairs.tables, pairs, self.own, self.others, self.kept, self.floors)

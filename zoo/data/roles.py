"""The roles of a log's columns: what a dataset's YAML says about features and behaviours."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from zoo.core.config import demand

CLOCK = {"hour": (3600, 24), "weekday": (86400, 7)}
"""Features of a time: seconds to a unit, and units to a round."""


@dataclass(frozen=True)
class FeatureConfig:
    """How a column becomes a feature.

    Attributes:
        kind: `categorical`, `numeric` or `multi` (several categories in one cell).
        bins: Quantile bins of a numeric feature.
        length: Most values kept of a multi feature.
        of: The column a derived feature (`hour`, `weekday`) is computed from; its own name if empty.
    """

    kind: Literal["categorical", "numeric", "multi"]
    bins: int = 0
    length: int = 0
    of: str = ""

    def __post_init__(self) -> None:
        demand(
            (self.kind != "numeric" or self.bins >= 2, "bins of a numeric feature must be at least 2"),
            (self.kind != "multi" or self.length >= 1, "length of a multi feature must be at least 1"),
        )


@dataclass(frozen=True)
class BehaviourConfig:
    """Which events count as a behaviour: all, or those whose `column` is at least `at_least`."""

    column: str = ""
    at_least: float = 0.0


@dataclass(frozen=True)
class SchemaConfig:
    """The roles of the columns: features of the user, the item and the moment, and the behaviours.

    The first behaviour is the base: every event counts. The others are labels given the base.
    """

    user: dict[str, FeatureConfig] = field(default_factory=dict)
    item: dict[str, FeatureConfig] = field(default_factory=dict)
    context: dict[str, FeatureConfig] = field(default_factory=dict)
    behaviours: dict[str, BehaviourConfig] = field(default_factory=lambda: {"watch": BehaviourConfig()})

    def __post_init__(self) -> None:
        first = next(iter(self.behaviours.values()), BehaviourConfig("?"))
        strange = [name for name in self.context if name not in CLOCK]
        # All of them are keys of one batch.
        names = Counter(["user_id", "item_id", *self.user, *self.item, *self.context])
        twice = [name for name, count in names.items() if count > 1]
        demand(
            (not first.column, "behaviours must begin with one that counts every event (no column)"),
            (not strange, f"context must be of {', '.join(CLOCK)}, found {', '.join(strange)}"),
            (not twice, f"item must not have names that others have, found {', '.join(twice)}"),
        )

    @property
    def base(self) -> str:
        """The behaviour that every event is."""
        return next(iter(self.behaviours))

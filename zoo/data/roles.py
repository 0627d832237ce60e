"""The roles of a log's columns: what a dataset's YAML says about features and behaviours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from zoo.core.config import demand
from zoo.core.errors import UserError, did_you_mean
from zoo.data.expression import Expression, parse_expression
from zoo.data.windows import KEY, NOW, StatisticsConfig

CLOCK = {"hour": (3600, 24), "weekday": (86400, 7)}
"""Features of a time: seconds to a unit, and units to a round."""


@dataclass(frozen=True)
class FeatureConfig:
    """How a column becomes a feature.

    Attributes:
        kind: `categorical`, `numeric` or `multi` (several categories in one cell).
        bins: Quantile bins of a numeric feature, which make it a categorical one; 0 keeps it a number.
        transform: Of a numeric feature that stays a number: log is log(1 + x). Models standardise it.
        length: Most values kept of a multi feature.
        min_count: A rarer value of a categorical or multi feature is unknown.
        buckets: Hashes a categorical or multi feature to so many ids, instead of a vocabulary.
        of: The column it is made of; its own name if empty. `hour` and `weekday` are made of the time.
    """

    kind: Literal["categorical", "numeric", "multi"]
    bins: int = 0
    transform: Literal["", "none", "log"] = ""
    length: int = 0
    min_count: int = 1
    buckets: int = 0
    of: str = ""

    def __post_init__(self) -> None:
        number, binned = self.kind == "numeric", self.bins > 0
        demand(
            (number or not (binned or self.transform), "kind must be numeric for bins and transform"),
            (
                not number or (binned != bool(self.transform)),
                "bins of a numeric feature must be at least 2, or transform must be none or log",
            ),
            (self.bins == 0 or self.bins >= 2, f"bins must be at least 2, found {self.bins}"),
            (self.kind != "multi" or self.length >= 1, "length of a multi feature must be at least 1"),
            (self.min_count >= 1, f"min_count must be at least 1, found {self.min_count}"),
            (self.buckets >= 0, f"buckets must not be negative, found {self.buckets}"),
            (not (number and self.buckets), "buckets are for categorical and multi features"),
        )


@dataclass(frozen=True)
class BehaviourConfig:
    """Which events count as a behaviour.

    Attributes:
        where: A condition on the columns of the events, such as `rating >= 4`; all events if empty.
        kind: `positive` (the user wants the item), `negative` (does not), `exposure` (the item was shown, no
            more), or `explicit` (a number, `value`).
        given: The behaviour that an event must be for the label to be defined; by default the first.
        value: The number of an explicit behaviour, such as `play_ms / 1000`.
    """

    where: str = ""
    kind: Literal["positive", "negative", "exposure", "explicit"] = "positive"
    given: str = ""
    value: str = ""

    def __post_init__(self) -> None:
        explicit = self.kind == "explicit"
        demand(
            (explicit == bool(self.value), "value must be there for an explicit behaviour, and for no other"),
            *((mistake_in(text) == "", f"{name} {mistake_in(text)}") for name, text in self._texts),
        )

    @property
    def _texts(self) -> list[tuple[str, str]]:
        return [(name, text) for name, text in (("where", self.where), ("value", self.value)) if text]

    @property
    def expressions(self) -> list[Expression]:
        """What has to be read for it."""
        return [parse_expression(text) for _, text in self._texts]


@dataclass(frozen=True)
class SchemaConfig:
    """The roles of the columns: features of the user, the item and the moment, and the behaviours.

    The first behaviour is the base: every event counts. The others are labels given the base. What is known
    of a moment is known before an item is chosen: a price or a position is an item's, and would tell which.
    Such are `shown`: of the item as it was shown, which only models that rank what was shown get to see.
    Features of the events of a history may be anything that was known once the event had happened.
    """

    user: dict[str, FeatureConfig] = field(default_factory=dict)
    item: dict[str, FeatureConfig] = field(default_factory=dict)
    context: dict[str, FeatureConfig] = field(default_factory=dict)
    shown: dict[str, FeatureConfig] = field(default_factory=dict)
    behaviours: dict[str, BehaviourConfig] = field(default_factory=lambda: {"watch": BehaviourConfig()})
    statistics: StatisticsConfig | None = None
    event: dict[str, FeatureConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = next(iter(self.behaviours.values()), BehaviourConfig("x"))
        # All of them are keys of one batch.
        names = Counter(["user_id", "item_id", *self.user, *self.item, *self.context, *self.shown])
        names += Counter([NOW, KEY] if self.statistics else [])
        twice = [name for name, count in names.items() if count > 1]
        given = {name: b.given for name, b in self.behaviours.items() if b.given}
        unknown = [name for name in given.values() if name not in self.behaviours]
        wrong = {name: did_you_mean(name, self.behaviours) for name in unknown}
        demand(
            (not first.where, "behaviours must begin with one that counts every event (no where)"),
            (
                first.kind in ("positive", "exposure") and not first.given,
                "behaviours must begin with one that is positive or an exposure, and given nothing",
            ),
            (not twice, f"item must not have names that others have, found {', '.join(twice)}"),
            *(
                (False, f"behaviours must be given one of them, found {name!r}{near}")
                for name, near in wrong.items()
            ),
            (bool(wrong) or not _circles(given), "behaviours must not be given one another in a circle"),
            *(
                (name in CLOCK or config.kind != "multi", f"context must not be multi, found {name}")
                for name, config in self.context.items()
            ),
            *(
                (c.kind != "multi", f"shown must not be multi, found {name}")
                for name, c in self.shown.items()
            ),
            *((False, message) for message in _events_and_statistics(self)),
        )

    @property
    def base(self) -> str:
        """The behaviour that every event is."""
        return next(iter(self.behaviours))

    @property
    def choice(self) -> str:
        """The first behaviour that tells what a user wants: the base, unless that is an exposure."""
        return next((name for name, b in self.behaviours.items() if b.kind == "positive"), self.base)

    @property
    def tasks(self) -> dict[str, str]:
        """Every behaviour that is a yes-or-no label, and what it is given ("" where always defined)."""
        exposed = self.behaviours[self.base].kind == "exposure"
        tasks = {} if exposed else {self.base: ""}
        for name, behaviour in self.behaviours.items():
            if name != self.base and behaviour.kind in ("positive", "negative"):
                given = behaviour.given or self.base
                tasks[name] = "" if exposed and given == self.base else given
        return tasks

    @property
    def histories(self) -> list[str]:
        """The behaviours whose events a history holds: all but numbers."""
        return [name for name, behaviour in self.behaviours.items() if behaviour.kind != "explicit"]

    @property
    def moments(self) -> dict[str, FeatureConfig]:
        """The features of the context that are columns of the events, not of the clock."""
        return {
            name: config
            for name, config in self.context.items()
            if name not in CLOCK or config.of not in ("", "time")
        }

    @property
    def ages(self) -> dict[str, FeatureConfig]:
        """The features of events that are made of their time, by their names in the encoder."""
        return {name: config for name, config in self._of_events().items() if config.of == "time"}

    @property
    def happened(self) -> dict[str, FeatureConfig]:
        """The features of events that are columns, likewise; a context feature may be called the same."""
        return {name: config for name, config in self._of_events().items() if config.of != "time"}

    def _of_events(self) -> dict[str, FeatureConfig]:
        return {f"event:{name}": replace(config, of=config.of or name) for name, config in self.event.items()}


def mistake_in(text: str) -> str:
    """What is wrong with an expression, empty if nothing is."""
    try:
        parse_expression(text)
    except UserError as error:
        return str(error)
    return ""


def _circles(given: dict[str, str]) -> bool:
    """Whether somebody is given itself in the end."""
    for name in given:
        steps, at = 0, name
        while at in given and steps <= len(given):
            steps, at = steps + 1, given[at]
        if steps > len(given):
            return True
    return False


def _events_and_statistics(roles: SchemaConfig) -> Iterator[str]:
    """What is wrong with statistics and features of events."""
    known = {name: c for name, c in roles.item.items() if c.kind != "numeric" or c.bins}
    for name in roles.statistics.cross if roles.statistics else ():
        if name not in known:
            near = did_you_mean(name, known)
            yield f"statistics cross must name an item feature with categories, found {name!r}{near}"
    taken = Counter([*roles.user, *roles.item, *roles.context])
    taken += Counter(f"history:{behaviour}" for behaviour in roles.histories)
    for name, config in roles.event.items():
        if config.kind == "multi":
            yield f"event must not be multi, found {name}"
        if (config.of or name) == "time" and config.kind != "numeric":
            yield f"event features of the time are ages, so they must be numeric, found {name}"
        taken += Counter(f"history:{behaviour}:{name}" for behaviour in roles.histories)
    twice = [name for name, count in taken.items() if count > 1 and name.startswith("history:")]
    if twice:
        yield f"event must not make names that others have, found {', '.join(twice)}"

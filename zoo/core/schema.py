"""What a model needs to know about the data: features with role and kind, and tasks."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from zoo.core.errors import UserError, did_you_mean

Role = Literal[
    "user_id", "user", "context", "history", "event", "item_id", "item", "item_stat", "column", "cross"
]
Kind = Literal["categorical", "multi", "numeric", "sequence"]
REQUEST_ROLES: tuple[Role, ...] = ("user_id", "user", "context", "history", "event")


@dataclass(frozen=True)
class Feature:
    """One tensor of a batch.

    Attributes:
        name: Its key in a `Batch`.
        role: `user_id`, `user`, `context`, `history` and `event` (a feature of each event of a history, in
            the same order) are request-level, `(B, …)`; the others are candidate-level, `(B, K, …)`:
            `item_id` and `item` never change for an item, `item_stat` is as of a time, `column` comes from
            an earlier stage, `cross` is computed from request and item.
        kind: `categorical` int64 `(…)`, `multi` int64 `(…, length)` padded with 0, `numeric` float32 `(…)`,
            `sequence` int64 `(…, length)` of item ids, newest first, padded with 0.
        vocab: Number of ids of a categorical, multi or sequence feature, with 0 (unknown or padding).
        length: Slots of a multi or sequence feature, or of a feature of events, `(B, length)`.
        of: What a history, event or cross feature is made of: a behaviour, or an item feature; `shown` for a
            column of an item as it was shown, which is unknown of all others.
        mean: Of a numeric feature over the training rows, for standardising.
        std: Likewise, always above 0.
        ordered: Of a categorical feature, whether its ids are steps of a scale, such as bins of a number.
    """

    name: str
    role: Role
    kind: Kind
    vocab: int = 0
    length: int = 0
    of: str = ""
    mean: float = 0.0
    std: float = 1.0
    ordered: bool = False

    def __post_init__(self) -> None:
        for field, value, valid in (("role", self.role, get_args(Role)), ("kind", self.kind, get_args(Kind))):
            if value not in valid:
                near = did_you_mean(str(value), valid)
                raise UserError(f"feature {self.name!r}: unknown {field} {value!r}{near}")

    @property
    def request_level(self) -> bool:
        """Whether the tensor has one row per request rather than one per candidate."""
        return self.role in REQUEST_ROLES


@dataclass(frozen=True)
class Task:
    """A label to predict; a task with `given` is defined only where that other task is positive."""

    name: str
    given: str = ""


@dataclass(frozen=True)
class Schema:
    """The ordered features and tasks a model is built from."""

    features: tuple[Feature, ...]
    tasks: tuple[Task, ...] = ()

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features)

    def __getitem__(self, name: str) -> Feature:
        for feature in self.features:
            if feature.name == name:
                return feature
        names = [feature.name for feature in self.features]
        raise UserError(f"the schema has no feature {name!r}{did_you_mean(name, names)}")

    def __contains__(self, name: str) -> bool:
        return any(feature.name == name for feature in self.features)

    def having(self, *roles: Role) -> tuple[Feature, ...]:
        """The features in any of `roles`, in schema order."""
        return tuple(feature for feature in self.features if feature.role in roles)

    def history(self, behaviour: str) -> Feature:
        """The item-id sequence of a behaviour; raises `UserError` with the nearest one if there is none."""
        found = {feature.of: feature for feature in self.having("history") if feature.kind == "sequence"}
        if behaviour not in found:
            near = did_you_mean(behaviour, found)
            given = ", ".join(sorted(found)) or "none"
            raise UserError(f"the dataset has no history of behaviour {behaviour!r}{near}; it has {given}")
        return found[behaviour]

    @property
    def n_items(self) -> int:
        """Number of items, padding not counted; ids are 1..n_items."""
        return self["item_id"].vocab - 1

    def leaving_out(self, names: Collection[str]) -> Schema:
        """This schema without some features; raises `UserError` with the nearest name for an unknown one."""
        for name in names:
            _ = self[name]
        return Schema(tuple(feature for feature in self.features if feature.name not in names), self.tasks)

    def extended(self, *features: Feature) -> Schema:
        """This schema with more features behind the present ones."""
        return Schema(self.features + features, self.tasks)

    def to_json(self) -> str:
        """As JSON, the form of `schema.json`."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """The inverse of `to_json`; raises `UserError` where the text is no schema."""
        try:
            raw: dict[str, Any] = json.loads(text)
            features = tuple(Feature(**feature) for feature in raw["features"])
            return cls(features, tuple(Task(**task) for task in raw["tasks"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"schema.json: not a schema ({error})") from error

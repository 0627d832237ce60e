"""`Encoder`: raw values to ids, fitted on the past, saved with every model as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.schema import Feature, Kind, Role
from zoo.core.types import Batch
from zoo.data.log import Log
from zoo.data.roles import CLOCK, BehaviourConfig, FeatureConfig, SchemaConfig


@dataclass(frozen=True)
class Encoder:
    """What turns raw values into tensors; unknown values become 0, never an error.

    Attributes:
        roles: Which columns are features, and how.
        items: Raw ids of the items 1, 2, …
        users: Raw ids of the users 1, 2, …: those with events before the cut.
        vocabularies: The values 1, 2, … of every categorical or multi feature.
        edges: The inner bin edges of every numeric feature.
    """

    roles: SchemaConfig
    items: tuple[str, ...]
    users: tuple[str, ...]
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    edges: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lookups = {"item_id": self.items, "user_id": self.users, **self.vocabularies}
        index = {name: {value: i for i, value in enumerate(values, 1)} for name, values in lookups.items()}
        object.__setattr__(self, "_index", index)

    @classmethod
    def fit(cls, log: Log, roles: SchemaConfig, known: Tensor) -> Encoder:
        """Learns vocabularies and bins.

        Args:
            log: Users and items; vocabularies of items come from the whole catalogue.
            roles: Which columns are features, and how.
            known: Rows of the users with events before the cut; only these have ids and shape bins.
        """
        users = log.users.take(pa.array(known.numpy()))
        vocabularies, edges = {}, {}
        for table, features in ((users, roles.user), (log.items, roles.item)):
            for name, config in features.items():
                column = _column(table, name, config)
                if config.kind == "numeric":
                    edges[name] = _edges(column, config.bins)
                else:
                    vocabularies[name] = tuple(sorted(set(_flat(column))))
        ids = (tuple(log.items["item_id"].to_pylist()), tuple(users["user_id"].to_pylist()))
        return cls(roles, *ids, vocabularies, edges)

    def ids(self, name: str, values: Sequence[Any]) -> Tensor:
        """`(N,)` int64 ids of categorical values (`item_id` and `user_id` are such names too)."""
        index = self._index[name]  # type: ignore[attr-defined]
        return torch.tensor([index.get(_word(value), 0) for value in values], dtype=torch.int64)

    def encode(self, name: str, config: FeatureConfig, values: Sequence[Any]) -> Tensor:
        """`(N,)` or, for a multi feature, `(N, length)` int64; None and unseen values become 0."""
        if config.kind == "categorical":
            return self.ids(name, values)
        if config.kind == "numeric":
            numbers = np.array([np.nan if value is None else _number(name, value) for value in values])
            bins = 1 + np.searchsorted(np.array(self.edges[name]), numbers, side="right")
            return torch.from_numpy(np.where(np.isnan(numbers), 0, bins))
        index = self._index[name]  # type: ignore[attr-defined]
        out = np.zeros((len(values), config.length), dtype=np.int64)
        for row, cell in enumerate(values):
            known = [index[word] for word in map(_word, _several(name, cell)) if word in index]
            out[row, : len(known)] = known[: config.length]
        return torch.from_numpy(out)

    def user_features(self, table: Mapping[str, Sequence[Any]], rows: int) -> Batch:
        """Profile features of `rows` users from raw columns; an absent column is unknown for all."""
        batch = {"user_id": self.ids("user_id", table.get("user_id", [None] * rows))}
        for name, config in self.roles.user.items():
            batch[name] = self.encode(name, config, table.get(config.of or name, [None] * rows))
        return batch

    def clock(self, time: Tensor) -> Batch:
        """Context features of a time `(N,)` in seconds; 0 where it is negative (not known)."""
        batch = {}
        for name in self.roles.context:
            unit, cycle = CLOCK[name]
            batch[name] = torch.where(time < 0, 0, 1 + time // unit % cycle)
        return batch

    def catalogue(self, log: Log) -> Batch:
        """Features of all items, `(n_items + 1, …)`, row 0 for padding."""
        batch = {"item_id": torch.arange(1, len(self.items) + 1)}
        for name, config in self.roles.item.items():
            batch[name] = self.encode(name, config, _column(log.items, name, config))
        return {name: torch.cat([torch.zeros_like(x[:1]), x]) for name, x in batch.items()}

    def features(self, history_length: int) -> tuple[Feature, ...]:
        """The schema's part that this encoder makes: ids, profiles, clock and one history per behaviour."""
        out = [Feature("user_id", "user_id", "categorical", len(self.users) + 1)]
        out += [self._feature(name, "user", config) for name, config in self.roles.user.items()]
        out += [Feature(name, "context", "categorical", CLOCK[name][1] + 1) for name in self.roles.context]
        for behaviour in self.roles.behaviours:
            name = f"history:{behaviour}"
            out.append(Feature(name, "history", "sequence", len(self.items) + 1, history_length, behaviour))
        out.append(Feature("item_id", "item_id", "categorical", len(self.items) + 1))
        return (*out, *(self._feature(name, "item", config) for name, config in self.roles.item.items()))

    def _feature(self, name: str, role: Role, config: FeatureConfig) -> Feature:
        if config.kind == "numeric":  # binned, so to a model it is a categorical
            return Feature(name, role, "categorical", len(self.edges[name]) + 2)
        kind: Kind = "multi" if config.kind == "multi" else "categorical"
        return Feature(name, role, kind, len(self.vocabularies[name]) + 1, config.length)

    def to_json(self) -> str:
        """As JSON, the form of `encoder.json`."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Encoder:
        """The inverse of `to_json`; raises `UserError` where the text is no encoder."""
        try:
            raw = json.loads(text)
            roles = raw.pop("roles")
            parts = {
                part: {name: FeatureConfig(**config) for name, config in roles[part].items()}
                for part in ("user", "item", "context")
            }
            behaviours = {name: BehaviourConfig(**config) for name, config in roles["behaviours"].items()}
            config = SchemaConfig(**parts, behaviours=behaviours)
            maps = [{n: tuple(v) for n, v in raw[key].items()} for key in ("vocabularies", "edges")]
            return cls(config, tuple(raw["items"]), tuple(raw["users"]), *maps)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"encoder.json: not an encoder ({error})") from error


def _column(table: pa.Table, name: str, config: FeatureConfig) -> list[Any]:
    source = config.of or name
    if source not in table.column_names:
        found = ", ".join(table.column_names)
        raise UserError(f"schema: no column {source!r} for feature {name!r}, found {found}")
    return table[source].to_pylist()


def _edges(column: Sequence[Any], bins: int) -> tuple[float, ...]:
    """The inner quantiles, fewer where they coincide; none of no values."""
    if not column:
        return ()
    shares = np.linspace(0, 1, bins + 1)[1:-1]
    return tuple(np.unique(np.quantile(np.asarray(column, float), shares)).tolist())


def _flat(column: Sequence[Any]) -> list[str]:
    return [_word(x) for cell in column for x in (cell if isinstance(cell, list) else [cell])]


def _word(value: Any) -> str:
    """A value as vocabularies spell it; pandas makes floats of whole numbers in a column with a gap."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _several(name: str, cell: Any) -> Sequence[Any]:
    """The values in a cell of a multi feature; pandas says NaN where there is no list."""
    if isinstance(cell, str):
        raise UserError(f"{name}: expected a list of values, found {cell!r}")
    return () if cell is None or isinstance(cell, float) else cell


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UserError(f"{name}: expected a number, found {value!r}") from None

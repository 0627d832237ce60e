"""`Encoder`: raw values to ids, fitted on the past, saved with every model as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.schema import Feature, Kind, Role
from zoo.core.types import Batch
from zoo.data.log import Log
from zoo.data.roles import CLOCK, BehaviourConfig, FeatureConfig, SchemaConfig
from zoo.data.values import (
    Values,
    ages_of,
    cells_of,
    column_of,
    edges_of,
    hashed,
    narrowed,
    numbers_of,
    scale_of,
    transformed,
    vocabulary,
    words_of,
)
from zoo.data.windows import StatisticsConfig


@dataclass(frozen=True)
class Encoder:
    """What turns raw values into tensors; unknown values become 0, never an error.

    Attributes:
        roles: Which columns are features, and how.
        items: Raw ids of the items 1, 2, …
        users: Raw ids of the users 1, 2, …: those with events before the cut.
        vocabularies: The values 1, 2, … of every categorical or multi feature.
        edges: The inner bin edges of every binned feature.
        scales: Mean and standard deviation of every number that stays one.
    """

    roles: SchemaConfig
    items: tuple[str, ...]
    users: tuple[str, ...]
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    edges: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lookups = {"item_id": self.items, "user_id": self.users, **self.vocabularies}
        index = {name: pa.array(values, pa.string()) for name, values in lookups.items()}
        object.__setattr__(self, "_index", index)

    @classmethod
    def fit(cls, log: Log, roles: SchemaConfig, known: Tensor, past: Tensor | None = None) -> Encoder:
        """Learns vocabularies, bins and scales.

        Args:
            log: Users, items and events; vocabularies of items come from the whole catalogue.
            roles: Which columns are features, and how.
            known: Rows of the users with events before the cut; only these have ids and shape bins.
            past: `(E,)` bool, the log's events before the cut, which shape the features of the events.
        """
        users = log.users.take(pa.array(known.numpy()))
        events = log.events if past is None else log.events.filter(pa.array(past.numpy()))
        sides = [(users, roles.user), (log.items, roles.item)]
        sides += [(events, roles.moments | roles.shown | roles.happened)]
        sides += [(ages_of(events), roles.ages)] if roles.ages else []
        vocabularies, edges, scales = {}, {}, {}
        for table, features in sides:
            for name, config in features.items():
                column = column_of(table, name, config)
                if config.kind != "numeric":
                    vocabularies[name] = () if config.buckets else vocabulary(column, config.min_count)
                elif config.bins:
                    edges[name] = edges_of(numbers_of(name, column), config.bins)
                else:
                    scales[name] = scale_of(transformed(numbers_of(name, column), config))
        ids = (tuple(log.items["item_id"].to_pylist()), tuple(users["user_id"].to_pylist()))
        return cls(roles, *ids, vocabularies, edges, scales)

    def refitted(self, log: Log, known: Tensor) -> Encoder:
        """For a log that has grown: new users, items and values get ids; bins and scales stay as they are.

        Ids of known values may change: `rows_from` tells how.
        """
        later = Encoder.fit(log, self.roles, known)
        return replace(later, edges=self.edges, scales=self.scales)

    def rows_from(self, earlier: Encoder) -> dict[str, Tensor]:
        """`(n + 1,)` by feature that has a vocabulary: the id that each id had earlier, 0 for none."""
        lookups = {"item_id": self.items, "user_id": self.users, **self.vocabularies}
        found = {name: earlier.ids(name, values) for name, values in lookups.items() if values}
        return {name: torch.cat([torch.zeros_like(ids[:1]), ids]) for name, ids in found.items()}

    def ids(self, name: str, values: Values, buckets: int = 0) -> Tensor:
        """`(N,)` int64 ids of categorical values (`item_id` and `user_id` are such names too)."""
        words = words_of(values)
        if buckets:
            return torch.from_numpy(hashed(words, buckets))
        index = pc.index_in(words, value_set=self._index[name])  # type: ignore[attr-defined]
        return torch.from_numpy(pc.fill_null(index, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1)

    def encode(self, name: str, config: FeatureConfig, values: Values) -> Tensor:
        """`(N,)` int64, float32 for a number that stays one, `(N, length)` for a multi feature.

        None and unseen values become 0, an unknown number the mean of those known.
        """
        if config.kind == "categorical":
            return self.ids(name, values, config.buckets)
        if config.kind == "multi":
            return self._several(name, config, values)
        numbers = numbers_of(name, values)
        if config.bins:
            bins = 1 + np.searchsorted(np.array(self.edges[name]), numbers, side="right")
            return torch.from_numpy(np.where(np.isnan(numbers), 0, bins))
        scaled = transformed(numbers, config)
        return torch.from_numpy(np.where(np.isnan(scaled), self.scales[name][0], scaled).astype(np.float32))

    def _several(self, name: str, config: FeatureConfig, values: Values) -> Tensor:
        """The first known values of every cell, without repeats."""
        cells = cells_of(name, values)
        row = np.repeat(np.arange(len(cells)), pc.list_value_length(cells).to_numpy(zero_copy_only=False))
        ids = self.ids(name, cells.flatten(), config.buckets).numpy()
        row, ids = row[ids > 0], ids[ids > 0]
        _, first = np.unique(np.stack([row, ids]), axis=1, return_index=True)
        row, ids = row[np.sort(first)], ids[np.sort(first)]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        out = np.zeros((len(cells), config.length), dtype=np.int64)
        kept = place < config.length
        out[row[kept], place[kept]] = ids[kept]
        return torch.from_numpy(out)

    def user_features(self, table: Mapping[str, Sequence[Any]], rows: int) -> Batch:
        """Profile features of `rows` users from raw columns; an absent column is unknown for all."""
        batch = {"user_id": self.ids("user_id", table.get("user_id", [None] * rows))}
        for name, config in self.roles.user.items():
            batch[name] = self.encode(name, config, table.get(config.of or name, [None] * rows))
        return batch

    def moments(self, log: Log) -> Batch:
        """`(E,)` features of the moment that are columns of the events, in the log's order, `narrowed`."""
        return self._of_events(log, self.roles.moments)

    def shown(self, log: Log) -> Batch:
        """`(E,)` features of the item as it was shown, likewise."""
        return self._of_events(log, self.roles.shown)

    def _of_events(self, log: Log, features: Mapping[str, FeatureConfig]) -> Batch:
        return {
            name: narrowed(self.encode(name, config, column_of(log.events, name, config)))
            for name, config in features.items()
        }

    def shown_features(self) -> tuple[Feature, ...]:
        """What they are to a schema: columns that only rows which were shown have."""
        made = (self._feature(name, "column", config) for name, config in self.roles.shown.items())
        return tuple(replace(feature, of="shown") for feature in made)

    def unknown_moments(self, rows: int) -> Batch:
        """The same features where nothing is known of the moment."""
        return {name: self.encode(name, c, [None] * rows) for name, c in self.roles.moments.items()}

    def clock(self, time: Tensor) -> Batch:
        """Features of a time `(N,)` in seconds; 0 where it is negative (not known)."""
        batch = {}
        for name in self.roles.context.keys() - self.roles.moments.keys():
            unit, cycle = CLOCK[name]
            batch[name] = torch.where(time < 0, 0, 1 + time // unit % cycle)
        return batch

    def catalogue(self, log: Log) -> Batch:
        """Features of all items, `(n_items + 1, …)`, row 0 for padding."""
        batch = {"item_id": torch.arange(1, len(self.items) + 1)}
        for name, config in self.roles.item.items():
            batch[name] = self.encode(name, config, column_of(log.items, name, config))
        return {name: torch.cat([torch.zeros_like(x[:1]), x]) for name, x in batch.items()}

    def features(self, history_length: int) -> tuple[Feature, ...]:
        """The schema's part that this encoder makes: ids, profiles, clock and one history per behaviour."""
        out = [Feature("user_id", "user_id", "categorical", len(self.users) + 1)]
        out += [self._feature(name, "user", config) for name, config in self.roles.user.items()]
        for name, config in self.roles.context.items():
            moment = name in self.roles.moments
            clock = Feature(name, "context", "categorical", 0 if moment else CLOCK[name][1] + 1)
            out.append(self._feature(name, "context", config) if moment else clock)
        for behaviour in self.roles.histories:
            name = f"history:{behaviour}"
            out.append(Feature(name, "history", "sequence", len(self.items) + 1, history_length, behaviour))
            for key, config in (self.roles.happened | self.roles.ages).items():
                name, feature = name_of(key, behaviour), self._feature(key, "event", config)
                out.append(replace(feature, name=name, of=behaviour, length=history_length))
        out.append(Feature("item_id", "item_id", "categorical", len(self.items) + 1))
        return (*out, *(self._feature(name, "item", config) for name, config in self.roles.item.items()))

    def _feature(self, name: str, role: Role, config: FeatureConfig) -> Feature:
        if config.bins:  # to a model it is a categorical
            return Feature(name, role, "categorical", len(self.edges[name]) + 2, ordered=True)
        if config.kind == "numeric":
            mean, std = self.scales[name]
            return Feature(name, role, "numeric", mean=mean, std=max(std, 1e-6))
        kind: Kind = "multi" if config.kind == "multi" else "categorical"
        vocab = config.buckets or len(self.vocabularies[name])
        return Feature(name, role, kind, vocab + 1, config.length)

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
                part: {name: FeatureConfig(**config) for name, config in roles.get(part, {}).items()}
                for part in ("user", "item", "context", "shown", "event")
            }
            behaviours = {name: BehaviourConfig(**config) for name, config in roles["behaviours"].items()}
            asked = roles.get("statistics")
            statistics = StatisticsConfig(**asked) if asked else None
            config = SchemaConfig(**parts, behaviours=behaviours, statistics=statistics)
            maps = [{n: tuple(v) for n, v in raw[key].items()} for key in ("vocabularies", "edges", "scales")]
            return cls(config, tuple(raw["items"]), tuple(raw["users"]), *maps)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"encoder.json: not an encoder ({error})") from error


def name_of(key: str, behaviour: str) -> str:
    """How a batch calls a feature of the events of a history, by its name in the encoder."""
    return f"history:{behaviour}:{key.removeprefix('event:')}"

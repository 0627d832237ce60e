"""How much is known of every feature of a log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.data.log import Log
from zoo.data.roles import FeatureConfig, SchemaConfig
from zoo.data.values import cells_of, column_of, words_of


@dataclass(frozen=True)
class Coverage:
    """How much is known of a feature.

    Attributes:
        name: Of the feature.
        side: Whose it is: `user`, `item`, `context` or `shown`.
        rows: Share of the users, items or events that have a value.
        events: Share of the events whose user, item or moment has one.
        distinct: Different values.
        top: Share of the most frequent value among all values.
        unknown: Share of the values that are too rare for the vocabulary.
        examples: Frequent values.
    """

    name: str
    side: str
    rows: float
    events: float
    distinct: int
    top: float
    unknown: float
    examples: tuple[str, ...]


def coverage(log: Log, schema: SchemaConfig) -> Iterator[Coverage]:
    """How much is known of every feature but those of the clock."""
    user, item = (log.events[key].to_numpy() for key in ("user", "item"))
    sides: list[tuple[str, pa.Table, dict[str, FeatureConfig], Any]] = [
        ("user", log.users, schema.user, user),
        ("item", log.items, schema.item, item),
        ("context", log.events, schema.moments, slice(None)),
        ("shown", log.events, schema.shown, slice(None)),
    ]
    for side, table, features, rows in sides:
        for name, config in features.items():
            yield _coverage(name, side, config, column_of(table, name, config), rows)


def _coverage(name: str, side: str, config: FeatureConfig, column: pa.ChunkedArray, rows: Any) -> Coverage:
    several = pa.types.is_list(column.type)
    cells = cells_of(name, column) if several else column.combine_chunks()
    known = pc.greater(pc.list_value_length(cells), 0) if several else pc.is_valid(cells)
    known = known.to_numpy(zero_copy_only=False)
    counted = pc.value_counts((cells.flatten() if several else cells).drop_null())
    times = counted.field("counts").to_numpy(zero_copy_only=False)
    total = max(int(times.sum()), 1)
    limited = config.kind != "numeric" and not config.buckets
    rare = int(times[times < config.min_count].sum()) if limited else 0
    frequent = pa.array(np.argsort(-times, kind="stable")[:3])
    examples = tuple(words_of(counted.field("values").take(frequent)).to_pylist())
    top = int(times.max(initial=0)) / total
    shares = (float(known.mean()), float(known[rows].mean()))
    return Coverage(name, side, *shares, len(times), top, rare / total, examples)

"""How much is known of every feature of a log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from zoo.core.types import Batch
from zoo.data.encode import Encoder
from zoo.data.log import Log
from zoo.data.roles import FeatureConfig, SchemaConfig
from zoo.data.split import Events
from zoo.data.statistics import Statistics
from zoo.data.values import cells_of, column_of, words_of

SAMPLE = 100_000
"""Events whose statistics are looked at."""


@dataclass(frozen=True)
class Coverage:
    """How much is known of a feature.

    Attributes:
        name: Of the feature.
        side: Whose it is: `user`, `item`, `context`, `shown` or `event` (of each event of a history).
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
        ("event", log.events, schema.happened, slice(None)),
    ]
    for side, table, features, rows in sides:
        for key, config in features.items():
            name = key.removeprefix(f"{side}:")
            yield _coverage(name, side, config, column_of(table, name, config), rows)


def statistics_of(log: Log, roles: SchemaConfig) -> dict[str, float]:
    """By statistic, the share of events at which it had something to count; none where none are asked for."""
    if roles.statistics is None:
        return {}
    encoder = Encoder.fit(log, roles, torch.arange(log.users.num_rows))
    events, catalogue = Events.of(log, roles), encoder.catalogue(log)
    statistics = Statistics.asked(roles, events, catalogue)
    return counted(statistics, events, catalogue) if statistics else {}


def counted(statistics: Statistics, events: Events, catalogue: Batch) -> dict[str, float]:
    """Likewise, of statistics of these events."""
    rows = torch.arange(len(events.time))
    if len(rows) > SAMPLE:
        rows = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:SAMPLE]
    found = statistics.seen(events.row[rows], events.item[rows], catalogue, events.time[rows])
    return {name: float(seen.float().mean()) for name, seen in found.items()}


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

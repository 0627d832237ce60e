"""A profile, a schema and encoded rows as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.datasets.config import DatasetConfig
from benchmarks.datasets.profiling.advice import warnings_of
from benchmarks.datasets.profiling.coverage import counted, coverage
from benchmarks.datasets.profiling.profile import Profile, Spread
from zoo.core.schema import Feature, Schema
from zoo.data.encode import Encoder
from zoo.data.log import Log
from zoo.data.roles import SchemaConfig
from zoo.data.snapshot import Snapshot
from zoo.data.split import Events
from zoo.data.values import column_of
from zoo.data.views import EventView

Raw: TypeAlias = Callable[[int], Any]
"""From the place of an event to the value that a feature was made of."""

HISTORY = 20
COLUMN, NAMES = 24, 40
"""Characters that one event, and the names of features, need in a terminal."""


def print_profile(console: Console, profile: Profile) -> None:
    """All that was counted, then the warnings, one a line."""
    span = "" if profile.span_days is None else f" in {profile.span_days:,.1f} days"
    _line(console, f"{profile.events:,} events of {profile.users:,} users with {profile.items:,} items{span}")
    for name, spread in (("user", profile.per_user), ("item", profile.per_item)):
        if spread:
            _line(console, f"events per {name}: {_spread(spread)}")
    _line(console, f"duplicates: {profile.duplicates:,}; share of events in ties: {profile.ties:.1%}")
    for column, share in profile.early.items():
        _line(console, f"events before items.{column}: {share:.1%}")
    if profile.rows:
        _line(console, f"rows read: {profile.rows:,}, of which bad: {profile.bad:,}")
    if profile.coverage:
        console.print(_coverage_table(profile))
    console.print(_labels_table(profile))
    if profile.statistics:
        console.print(_statistics_table(profile))
    for text in warnings_of(profile):
        console.print("[yellow]warning[/]:", end=" ")
        _line(console, text)


def print_encoded(console: Console, log: Log, config: DatasetConfig, rows: int) -> None:
    """The schema after encoding, and events of all the log with raw values and encoded ones.

    Args:
        console: Where to.
        log: The tables.
        config: What they mean.
        rows: Events, spread over the whole log.
    """
    events = Events.of(log, config.schema)
    known = (events.offsets[1:] > events.offsets[:-1]).nonzero().squeeze(1)
    encoder = Encoder.fit(log, config.schema, known)
    snapshot = Snapshot.at(log, events, encoder, events.cut(1.0), HISTORY)
    seen = counted(snapshot.statistics, events, snapshot.catalogue) if snapshot.statistics else {}
    schema, columns = snapshot.schema.extended(*encoder.shown_features()), encoder.shown(log)
    console.print(_schema_table(schema, log, config.schema, seen))
    view = EventView(snapshot, behaviour=config.schema.base)
    index = torch.linspace(0, len(view) - 1, min(rows, len(view))).round().long()
    raws = _raws(log, config)
    at_once = max(1, (console.width - NAMES) // COLUMN)
    for part in index.split(at_once):
        batch = view.batch(part) | {name: values[part] for name, values in columns.items()}
        shown = [feature.name for feature in schema if feature.name in batch]
        labels = [f"label:{task.name}" for task in snapshot.schema.tasks]
        console.print(_rows_table(part, {name: batch[name] for name in shown + labels}, raws))


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _spread(spread: Spread) -> str:
    return f"{spread.least:,} at least, {spread.median:,g} in the median, {spread.most:,} at most"


def _coverage_table(profile: Profile) -> Table:
    heads = ("feature", "of", "rows", "events", "distinct", "most frequent", "too rare", "such as")
    table = Table(*heads, title="Features: shares that have a value", title_justify="left")
    for one in profile.coverage:
        shares = (f"{one.rows:.1%}", f"{one.events:.1%}", f"{one.distinct:,}")
        rest = (f"{one.top:.1%}", f"{one.unknown:.1%}", _plain(", ".join(one.examples)))
        table.add_row(one.name, one.side, *shares, *rest)
    return table


def _labels_table(profile: Profile) -> Table:
    heads = ("behaviour", "kind", "given", "defined at", "rate or mean")
    table = Table(*heads, title="Behaviours", title_justify="left")
    for label in profile.labels:
        table.add_row(label.name, label.kind, label.given, f"{label.events:,}", f"{label.rate:.4g}")
    return table


def _statistics_table(profile: Profile) -> Table:
    windows = list(dict.fromkeys(name.rpartition(":")[2] for name in profile.statistics))
    title = "Statistics: shares of events at which there was something to count"
    table = Table("statistic", *windows, title=title, title_justify="left")
    for one in dict.fromkeys(name.rpartition(":")[0] for name in profile.statistics):
        table.add_row(_plain(one), *(f"{profile.statistics[f'{one}:{window}']:.1%}" for window in windows))
    return table


def _schema_table(schema: Schema, log: Log, roles: SchemaConfig, counted: dict[str, float]) -> Table:
    known = {one.name if one.side != "event" else f"event:{one.name}": one for one in coverage(log, roles)}
    heads = ("feature", "role", "kind", "ids", "length", "coverage", "such as")
    table = Table(*heads, title="Schema after encoding", title_justify="left")
    for feature in schema:
        name = feature.name.removeprefix(f"history:{feature.of}:")
        one = known.get(f"event:{name}" if feature.role == "event" else feature.name)
        share = f"{counted[feature.name]:.1%}" if feature.name in counted else ""
        found = (f"{one.events:.1%}", _plain(", ".join(one.examples))) if one else (share, _scale(feature))
        table.add_row(
            feature.name, feature.role, feature.kind, _count(feature.vocab), _count(feature.length), *found
        )
    for task in schema.tasks:
        table.add_row(task.name, "label", "0 or 1", "", "", "", f"given {task.given}" if task.given else "")
    return table


def _scale(feature: Feature) -> str:
    return f"{feature.mean:.3g} ± {feature.std:.3g}" if feature.kind == "numeric" else ""


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _rows_table(index: Tensor, batch: dict[str, Tensor], raws: dict[str, Raw]) -> Table:
    heads = [f"event {place + 1:,}" for place in index.tolist()]
    table = Table("raw → encoded", *heads, title_justify="left")
    for name, values in batch.items():
        raw = raws.get(name)
        cells = [_code(value) for value in values]
        if raw:
            pairs = zip(index.tolist(), cells, strict=True)
            cells = [f"{_plain(raw(place))} → {cell}" for place, cell in pairs]
        table.add_row(_plain(name), *cells)
    return table


def _raws(log: Log, config: DatasetConfig) -> dict[str, Raw]:
    """What each feature was made of, by its name."""
    return {name: _at(log, key, column, name, config) for name, key, column in _sources(log, config.schema)}


def _sources(log: Log, roles: SchemaConfig) -> Iterator[tuple[str, str, Any]]:
    """Name, whose row to look up ("" for the event's own), and the column."""
    columns = roles.moments | roles.shown
    yield "user_id", "user", log.users["user_id"]
    yield "item_id", "item", log.items["item_id"]
    yield from ((name, "user", column_of(log.users, name, config)) for name, config in roles.user.items())
    yield from ((name, "item", column_of(log.items, name, config)) for name, config in roles.item.items())
    yield from ((name, "", column_of(log.events, name, config)) for name, config in columns.items())
    yield from ((name, "", log.events["time"]) for name in roles.context.keys() - roles.moments.keys())


def _at(log: Log, key: str, column: Any, name: str, config: DatasetConfig) -> Raw:
    clock = name in config.schema.context and name not in config.schema.moments

    def raw(place: int) -> Any:
        value = column[log.events[key][place].as_py() if key else place].as_py()
        if clock and config.clock == "seconds":
            return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M}"
        return value

    return raw


def _plain(value: Any) -> str:
    """A raw value, short, and never read as rich's markup."""
    text = "null" if value is None else "|".join(value) if isinstance(value, list) else str(value)
    return (text if len(text) <= COLUMN else text[: COLUMN - 1] + "…").replace("[", r"\[")


def _code(value: Tensor) -> str:
    if value.dim():
        known = [f"{one:.4g}" if isinstance(one, float) else str(one) for one in value.tolist() if one]
        more = f" …{len(known)}" if len(known) > 3 else ""
        return " ".join(known[:3]) + more if known else "none"
    return f"{value.item():.4g}" if value.is_floating_point() else str(value.item())

"""From raw tables, or files that a config describes, to a log: columns, filters, k-core."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.datasets.config import DatasetConfig
from benchmarks.datasets.tables import Kind, Opened, Report, read_table
from zoo.core.errors import UserError
from zoo.data.expression import Expression, parse_expression
from zoo.data.log import Log
from zoo.data.roles import FeatureConfig

KEYS: dict[str, dict[str, Kind]] = {
    "events": {"user_id": "text", "item_id": "text", "time": "time"},
    "users": {"user_id": "text"},
    "items": {"item_id": "text"},
}
ROLES: dict[str, Kind] = {
    "session_id": "text",
    "request_id": "text",
    "behaviour": "text",
    "position": "number",
    "propensity": "number",
    "split": "number",
}
"""Columns of the events with a meaning of their own, read where a config names them."""


def assembled(
    config: DatasetConfig, raw: Mapping[str, pa.Table] | None, files: Opened, report: Report
) -> Log:
    """The log of a dataset.

    Args:
        config: What the columns mean.
        raw: Tables that a reader made; None to read `files` as the config describes them.
        files: By name.
        report: Told what was read.

    Raises:
        UserError: A file, column or row is not as described.
    """
    tables = dict(raw) if raw is not None else _described(config, files, report)
    events = tables["events"]
    if config.filter.events:
        events = events.filter(parse_expression(config.filter.events).mask(events))
    events = _core(_timed(events, config.clock), config.filter.min_user_events, config.filter.min_item_events)
    if not events.num_rows:
        raise UserError("events: no row is left" if config.filter.events else "events: there is no row")
    return Log.of(events, tables.get("users"), tables.get("items"), strict=bool(config.canonical))


def _timed(events: pa.Table, clock: str) -> pa.Table:
    """The events with the times that the clock allows, all of them 0 where there are none."""
    if clock == "none":
        events = events.select([name for name in events.column_names if name not in ("time", "order")])
    if "time" in events.column_names:
        return events
    if clock == "seconds":
        raise UserError(f"events: no column 'time', found {', '.join(events.column_names)}")
    return events.append_column("time", pa.array(np.zeros(events.num_rows, np.int64)))


def _described(config: DatasetConfig, files: Opened, report: Report) -> dict[str, pa.Table]:
    wanted = {name: _wanted(config, name) for name in config.tables}
    return {
        name: read_table(name, table, files, wanted[name], report) for name, table in config.tables.items()
    }


def _wanted(config: DatasetConfig, name: str) -> dict[str, Kind]:
    """The columns of a table that something asks for, and how each has to be read."""
    schema, named = config.schema, config.tables[name].columns
    features = {"events": schema.moments | schema.shown, "users": schema.user, "items": schema.item}[name]
    kinds: dict[str, Kind] = {}
    if name == "events":
        kinds |= {feature.of: _of(feature) for feature in schema.happened.values()}
        kinds |= {role: kind for role, kind in ROLES.items() if role in named}
        for expression in _expressions(config):
            kinds |= {column: _kind(column, expression) for column in sorted(expression.columns)}
    elif "title" in named:
        kinds["title"] = "text"
    numbers = {column: kind for column, kind in kinds.items() if ROLES.get(column) == "number"}
    kinds |= {feature.of or column: _of(feature) for column, feature in features.items()}
    kinds |= numbers  # a position may be a category to models, and stays a number
    keys = {key: kind for key, kind in KEYS[name].items() if _has(config, name, key)}
    return kinds | keys


def _has(config: DatasetConfig, name: str, key: str) -> bool:
    """Whether a table has a key: tables of clicks without users, items or times leave it out."""
    if key == "time":
        named = "time" in config.tables[name].columns
        return config.clock == "seconds" or (named and config.clock == "order")
    # A key is named in `columns`, or is so called in the file; a table of rows says that it has none.
    return config.tables[name].columns.get(key) != ""


def _expressions(config: DatasetConfig) -> list[Expression]:
    of_behaviours = [e for behaviour in config.schema.behaviours.values() for e in behaviour.expressions]
    return of_behaviours + ([parse_expression(config.filter.events)] if config.filter.events else [])


def _kind(column: str, expression: Expression) -> Kind:
    return "number" if column in expression.numeric else "text"


def _of(feature: FeatureConfig) -> Kind:
    kinds: dict[str, Kind] = {"categorical": "text", "multi": "list", "numeric": "number"}
    return kinds[feature.kind]


def _core(events: pa.Table, users: int, items: int) -> pa.Table:
    """The events of users and items that have enough of them among themselves."""
    limits = {key: least for key, least in (("user_id", users), ("item_id", items)) if least > 1}
    before = -1
    while before != events.num_rows:
        before = events.num_rows
        for key, least in limits.items():
            counts = pc.value_counts(events[key])
            rare = counts.field("values").filter(pc.less(counts.field("counts"), least))
            events = events.filter(pc.invert(pc.is_in(events[key], value_set=rare)))
    return events

"""`Log`: what happened (events), to whom (users) and with what (items), in one canonical form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.errors import UserError

KEYS: dict[str, dict[str, pa.DataType]] = {
    "events": {"user_id": pa.string(), "item_id": pa.string(), "time": pa.int64()},
    "users": {"user_id": pa.string()},
    "items": {"item_id": pa.string()},
}
"""The columns that every log has, by table; together they name a row."""

NOT_HASHED = frozenset({"title"})
"""For people to read only: publishers of the same data spell titles differently."""


@dataclass(frozen=True)
class Log:
    """Three Arrow tables: their keys first, then their feature columns by name.

    Strings are `string`, whole numbers `int64`, others `float32`, several values in one cell
    `list<string>`; nothing is null, keys are unique, and rows are sorted by them (ids as UTF-8 bytes).
    Make one with `Log.of`; the bare constructor is for tables known to be in this form.

    Attributes:
        events: `user_id`, `item_id`, `time` (seconds since 1970 UTC), and features such as `rating`.
        users: `user_id` and features of a user.
        items: `item_id` and features of an item; `title` is for display.
    """

    events: pa.Table
    users: pa.Table
    items: pa.Table

    @classmethod
    def of(cls, events: pa.Table, users: pa.Table, items: pa.Table) -> Log:
        """A log in canonical form from tables with rows and columns in any order.

        Raises:
            UserError: A column is missing, empty somewhere or of no known type; a row is there twice;
                an event has a user or an item that is not in its table.
        """
        log = cls(_canonical("events", events), _canonical("users", users), _canonical("items", items))
        _check_known(log.events, "user_id", "users", log.users)
        _check_known(log.events, "item_id", "items", log.items)
        return log

    def sha256(self) -> str:
        """Hash of the contents but for titles, whatever Arrow's version, chunks or file format."""
        digest = hashlib.sha256()
        for name in KEYS:
            table = getattr(self, name)
            for column in table.column_names:
                if column not in NOT_HASHED:
                    digest.update(f"{name}.{column}:".encode())
                    for part in _parts(table[column].combine_chunks()):
                        digest.update(part)
        return digest.hexdigest()


def _canonical(name: str, table: pa.Table) -> pa.Table:
    keys = KEYS[name]
    if missing := [key for key in keys if key not in table.column_names]:
        raise UserError(f"{name}: no column {missing[0]!r}, found {', '.join(table.column_names)}")
    features = sorted(set(table.column_names) - keys.keys())
    types = keys | {feature: _plain(table.schema.field(feature).type) for feature in features}
    table = pa.table({column: _cast(name, column, table[column], kind) for column, kind in types.items()})
    table = table.sort_by([(key, "ascending") for key in keys]).combine_chunks()
    _check_unique(name, table, list(keys))
    return table


def _plain(kind: pa.DataType) -> pa.DataType:
    """The one type kept for each family of types; casting tells whether a column fits it."""
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float32()
    return pa.list_(pa.string()) if pa.types.is_list(kind) else pa.string()


def _cast(name: str, column: str, values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    try:
        values = values.cast(kind)
    except pa.ArrowException as error:
        raise UserError(f"{name}.{column}: expected {kind}: {str(error).splitlines()[0]}") from None
    good = pc.is_finite(values) if pa.types.is_floating(kind) else pc.is_valid(values)
    row = pc.index(pc.fill_null(good, False), False).as_py()
    if row >= 0:
        raise UserError(f"{name}.{column}: row {row + 1} is {values[row].as_py()}, expected a value")
    if pa.types.is_list(kind) and pc.list_flatten(values).null_count:
        raise UserError(f"{name}.{column}: a list holds an empty value")
    return values


def _check_unique(name: str, table: pa.Table, keys: list[str]) -> None:
    rows = max(table.num_rows - 1, 0)
    same = reduce(pc.and_, (pc.equal(table[key].slice(0, rows), table[key].slice(1)) for key in keys))
    row = pc.index(same, True).as_py()
    if row >= 0:
        values = ", ".join(f"{key} {table[key][row].as_py()!r}" for key in keys)
        raise UserError(f"{name}: {values} is there twice")


def _check_known(events: pa.Table, key: str, name: str, table: pa.Table) -> None:
    row = pc.index(pc.is_in(events[key], value_set=table[key].combine_chunks()), False).as_py()
    if row >= 0:
        event = ", ".join(f"{column} {events[column][row].as_py()!r}" for column in KEYS["events"])
        raise UserError(f"events.{key}: {events[key][row].as_py()!r} is not in {name} (event {event})")


def _parts(column: Any) -> Iterator[bytes]:
    """The canonical bytes of a column: its kind and length, then its values, little-endian."""
    if pa.types.is_list(column.type):
        yield b"list:"
        yield from _parts(pc.list_value_length(column))
        yield from _parts(column.flatten())
    elif pa.types.is_string(column.type):
        yield b"string:"
        yield from _parts(pc.binary_length(column))
        yield "".join(column.to_pylist()).encode()
    else:
        values = column.to_numpy(zero_copy_only=False)
        yield f"{values.dtype.kind}{values.dtype.itemsize}:{len(values)}:".encode()
        yield values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()

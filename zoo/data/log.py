"""`Log`: what happened (events), to whom (users) and with what (items), in one canonical form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.errors import UserError, did_you_mean

Vector: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

KEYS: dict[str, dict[str, pa.DataType]] = {
    "events": {"user": pa.int32(), "item": pa.int32(), "time": pa.int64()},
    "users": {"user_id": pa.string()},
    "items": {"item_id": pa.string()},
}
"""The columns that every log has, by table."""

NOT_HASHED = frozenset({"title"})
"""For people to read only: publishers of the same data spell titles differently."""

NOBODY = ""
"""The one user, or item, of a log that names none."""


@dataclass(frozen=True)
class Log:
    """Three Arrow tables: their keys first, then their feature columns by name.

    Strings are `string`, whole numbers `int64`, others `float32`, several values in one cell
    `list<string>`. A feature may be null where it is not known; a key may not.
    Make one with `Log.of`; the bare constructor is for tables known to be in this form.

    Attributes:
        events: `user` and `item` (rows of the other tables), `time` (seconds since 1970 UTC), features such
            as `rating`; sorted by user, `split` if there (0 train, 1 validation, 2 test), time, `order` if
            there, and a hash that tells nothing.
        users: `user_id` and features of a user, sorted by id (as UTF-8 bytes).
        items: `item_id` and features of an item, likewise; `title` is for display.
    """

    events: pa.Table
    users: pa.Table
    items: pa.Table

    @classmethod
    def of(
        cls,
        events: pa.Table,
        users: pa.Table | None = None,
        items: pa.Table | None = None,
        strict: bool = True,
    ) -> Log:
        """A log in canonical form from tables with rows and columns in any order.

        Args:
            events: `time` in seconds, `user_id` and `item_id` (left out where the log names none), features,
                and maybe `order` for events of one time.
            users: `user_id` and features; without it the users of the events.
            items: `item_id` and features; without it the items of the events.
            strict: An id of the events that is not in its table is an error, else it gets a row.

        Raises:
            UserError: A column is missing or of no known type, a key is empty, a user or an item is there
                twice, an event has an unknown id.
        """
        if "time" not in events.column_names:
            near = did_you_mean("time", events.column_names)
            raise UserError(f"events: no column 'time'{near}, found {', '.join(events.column_names)}")
        users, user = _side("user_id", "users", users, events, strict)
        items, item = _side("item_id", "items", items, events, strict)
        keys = {
            "user": pa.array(user, pa.int32()),
            "item": pa.array(item, pa.int32()),
            "time": _cast("events", "time", events["time"], pa.int64()),
        }
        features = _features("events", events.drop_columns(_present(events, ["user_id", "item_id", "time"])))
        table = pa.table(keys | features)
        return cls(table.take(pa.array(_order(table, user, item))).combine_chunks(), users, items)

    def with_ties(self, seed: int, again: bool = False) -> Log:
        """The same log with the events of one moment in the order of another hash; seed 0 is the log itself.

        Args:
            seed: Of the hash.
            again: The columns that order events have changed, so order them anew.
        """
        if seed == 0 and not again:
            return self
        user, item = (self.events[name].to_numpy() for name in ("user", "item"))
        order = pa.array(_order(self.events, user, item, seed))
        return replace(self, events=self.events.take(order).combine_chunks())

    def sha256(self) -> str:
        """Hash of the contents but for titles, whatever Arrow's version, chunks or file format."""
        digest = hashlib.sha256()
        for name in KEYS:
            table = getattr(self, name)
            for column in table.column_names:
                if column not in NOT_HASHED:
                    digest.update(f"{name}.{column}:".encode())
                    for part in _parts(_whole(table[column])):
                        digest.update(part)
        return digest.hexdigest()


def tie_hash(user: Vector, item: Vector, seed: int) -> Vector:
    """`(E,)` uint64, a splitmix64 hash of user and item: a fixed order without meaning."""
    x = (user.astype(np.uint64) << np.uint64(32)) + item.astype(np.uint64)
    x = x + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def _order(table: pa.Table, user: Vector, item: Vector, seed: int = 0) -> Vector:
    # The hash sees user and item only, so the order can leak neither label nor place in a file.
    order, split = (
        [table[name].to_numpy()] if name in table.column_names else [] for name in ("order", "split")
    )
    time = table["time"].to_numpy()
    return np.lexsort((tie_hash(user, item + 1, seed), *order, time, *split, user))


def _side(
    key: str, name: str, table: pa.Table | None, events: pa.Table, strict: bool
) -> tuple[pa.Table, Vector]:
    """The table of users or items in canonical form, and its row for every event."""
    if key not in events.column_names:
        if table is not None:
            raise UserError(f"events: no column {key!r}, found {', '.join(events.column_names)}")
        return pa.table({key: [NOBODY]}), np.zeros(events.num_rows, dtype=np.int32)
    ids, codes = _distinct(_cast("events", key, events[key], pa.string()))
    if table is None:
        table = pa.table({key: ids})
    elif key not in table.column_names:
        raise UserError(f"{name}: no column {key!r}, found {', '.join(table.column_names)}")
    table = pa.table({key: _cast(name, key, table[key], pa.string())} | _features(name, table, [key]))
    unknown = pc.filter(ids, pc.invert(pc.is_in(ids, value_set=_whole(table[key]))))
    if len(unknown) and strict:
        raise UserError(f"events.{key}: {unknown[0].as_py()!r} is not in {name}")
    if len(unknown):
        table = pa.concat_tables([table, pa.table({key: unknown})], promote_options="default")
    table = table.sort_by(key).combine_chunks()
    _check_unique(name, key, table)
    rows = pc.index_in(ids, value_set=_whole(table[key])).to_numpy(zero_copy_only=False)
    return table, rows[codes].astype(np.int32)


def _distinct(values: pa.ChunkedArray) -> tuple[pa.Array, Vector]:
    """The different values, and which of them each row is."""
    encoded = _whole(values.dictionary_encode())
    return encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False)


def _features(name: str, table: pa.Table, keys: list[str] | None = None) -> dict[str, pa.ChunkedArray]:
    """The columns other than keys, by name."""
    return {
        column: _cast(name, column, table[column], _plain(table.schema.field(column).type), null=True)
        for column in sorted(set(table.column_names) - set(keys or ()))
    }


def _present(table: pa.Table, names: list[str]) -> list[str]:
    return [name for name in names if name in table.column_names]


def _plain(kind: pa.DataType) -> pa.DataType:
    """The one type kept for each family of types; casting tells whether a column fits it."""
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float32()
    return pa.list_(pa.string()) if pa.types.is_list(kind) else pa.string()


def _cast(
    name: str, column: str, values: pa.ChunkedArray, kind: pa.DataType, null: bool = False
) -> pa.ChunkedArray:
    try:
        values = values.cast(kind)
    except pa.ArrowException as error:
        raise UserError(f"{name}.{column}: expected {kind}: {str(error).splitlines()[0]}") from None
    if pa.types.is_floating(kind):
        values = pc.if_else(pc.is_finite(values), values, pa.scalar(None, kind))
    if pa.types.is_list(kind):
        if pc.list_flatten(values).null_count:
            raise UserError(f"{name}.{column}: a list holds an empty value")
        return pc.coalesce(values, pa.scalar([], kind)) if values.null_count else values
    if values.null_count and not null:
        row = pc.index(pc.is_valid(values), False).as_py()
        raise UserError(f"{name}.{column}: row {row + 1} is empty, expected a value")
    return values


def _check_unique(name: str, key: str, table: pa.Table) -> None:
    rows = max(table.num_rows - 1, 0)
    row = pc.index(pc.equal(table[key].slice(0, rows), table[key].slice(1)), True).as_py()
    if row >= 0:
        raise UserError(f"{name}: {key} {table[key][row].as_py()!r} is there twice")


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """One array, without a copy where there is one chunk."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _parts(column: Any) -> Iterator[bytes]:
    """The canonical bytes of a column: its kind and length, then its values, little-endian."""
    if pa.types.is_list(column.type):
        yield b"list:"
        yield from _parts(pc.list_value_length(column))
        yield from _parts(column.flatten())
        return
    if column.null_count:
        yield b"null:" + np.packbits(column.is_null().to_numpy(zero_copy_only=False)).tobytes()
        column = column.fill_null("" if pa.types.is_string(column.type) else 0)
    if pa.types.is_string(column.type):
        yield b"string:"
        yield from _parts(pc.binary_length(column))
        yield _text(column)
    else:
        values = column.to_numpy(zero_copy_only=False)
        yield f"{values.dtype.kind}{values.dtype.itemsize}:{len(values)}:".encode()
        yield values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def _text(column: Any) -> bytes:
    """All characters one after another, taken from Arrow's buffer instead of through Python."""
    if not len(column):
        return b""
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return bytes(memoryview(data)[places[0] : places[-1]]) if data is not None else b""

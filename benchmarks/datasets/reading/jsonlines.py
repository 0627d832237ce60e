"""Tables of one JSON object a line: by Arrow where every column is of one type, by hand where one is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as arrow_json

from benchmarks.datasets.reading.columns import JSON, LIST, is_list, is_text, parse_list
from benchmarks.datasets.reading.pieces import KEYS, Column, Piece, locate, shown
from benchmarks.datasets.reading.records import Block, Dialect, read_records
from zoo.core.errors import UserError


def read_json_lines(
    file: str, opened: Path | bytes, encoding: str, wanted: Sequence[Column]
) -> Iterator[Piece]:
    """The wanted columns of a file; a key that an object lacks is null.

    Raises:
        UserError: A column is nowhere in the file, or see `read_records`.
    """
    seen: dict[str, None] = {}
    fast = True
    for block in read_records(file, opened, encoding, Dialect(b"\n")):
        if not seen and block.data.lstrip().startswith(b"["):
            raise UserError(f"{file}:{block.line}: begins with '[', expected one JSON object a line")
        table = _by_arrow(block, wanted) if fast else None
        fast = table is not None
        piece = _by_hand(file, block, wanted, seen) if table is None else _piece(file, block, table, wanted)
        seen |= dict.fromkeys(table.column_names if table else [])
        # An object may leave out what it has no value for, but none is without a user.
        locate(file, [column for column in wanted if column.name in KEYS and piece.rows], list(seen))
        yield piece
    locate(file, wanted, list(seen))


def _by_arrow(block: Block, wanted: Sequence[Column]) -> pa.Table | None:
    """The block, None where Arrow would alter a cell or a line is none that it knows."""
    options = arrow_json.ReadOptions(block_size=len(block.data) + 1)
    try:
        table = arrow_json.read_json(pa.BufferReader(block.data), options)
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    types = {field.name: field.type for field in table.schema}
    faithful = all(_is_faithful(column, types.get(column.theirs, pa.null())) for column in wanted)
    return table if faithful and table.num_rows == len(block.lines()) else None


def _is_faithful(column: Column, kind: pa.DataType) -> bool:
    # Arrow takes text that looks like a time for one, and makes doubles of ids that are too long.
    if column.kind == "text":
        return is_text(kind) or kind in (pa.int64(), pa.bool_(), pa.null())
    if column.kind == "list":
        inner = kind.value_type if is_list(kind) else kind
        return is_text(inner) or inner in (pa.int64(), pa.null())
    return column.kind == "time" or not (pa.types.is_timestamp(kind) or pa.types.is_nested(kind))


def _piece(file: str, block: Block, table: pa.Table, wanted: Sequence[Column]) -> Piece:
    lines = cache(block.lines)
    nothing = pa.nulls(table.num_rows)
    cells = {
        column.name: table[column.theirs].combine_chunks() if column.theirs in table.column_names else nothing
        for column in wanted
    }
    return Piece(cells, table.num_rows, lambda row: f"{file}:{lines()[row]}")


def _by_hand(file: str, block: Block, wanted: Sequence[Column], seen: dict[str, None]) -> Piece:
    cells: dict[str, list[Any]] = {column.name: [] for column in wanted}
    places: list[str] = []
    faults: list[tuple[str, str]] = []
    for line, text in zip(block.lines().tolist(), block.head(), strict=True):
        place = f"{file}:{line}"
        try:
            row = _row(text)
            found = {column.name: _cell(column, row.get(column.theirs)) for column in wanted}
        except ValueError as error:
            faults.append((place, str(error)))
            continue
        seen |= dict.fromkeys(row)
        places.append(place)
        for name, cell in found.items():
            cells[name].append(cell)
    kinds = {column.name: LIST if column.kind == "list" else pa.string() for column in wanted}
    arrays = {name: pa.array(values, kinds[name]) for name, values in cells.items()}
    return Piece(arrays, len(places), places.__getitem__, faults)


def _row(text: bytes) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = getattr(error, "msg", type(error).__name__)
        raise ValueError(f"{shown(text.decode())} is not JSON ({why})") from None
    if not isinstance(row, dict):
        raise ValueError(f"{shown(text.decode())} is not a JSON object")
    return row


def _cell(column: Column, value: Any) -> Any:
    """A value as a table of text would hold it; a list where one is wanted."""
    if column.kind == "list" and value is not None:
        parts = value if isinstance(value, list) else _cut(_text(column, value), column.separator)
        return [_text(column, part) for part in parts if part is not None]
    return None if value is None else _text(column, value)


def _cut(text: str, separator: str) -> list[str]:
    if separator == JSON:
        return parse_list(text)
    return text.split(separator) if separator else [text]


def _text(column: Column, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, list | dict):
        what = "a list" if isinstance(value, list) else "an object"
        expected = {"number": "a number", "time": "a time"}.get(column.kind, "text")
        raise ValueError(f"{column.theirs} is {what}, expected {expected}")
    return str(value)

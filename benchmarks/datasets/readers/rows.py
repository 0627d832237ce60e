"""What the readers share: the bytes, rows and columns of a published file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import pyarrow as pa

from benchmarks.datasets.tables import Kind, Opened, Report, TableConfig, read_table
from zoo.core.errors import UserError, did_you_mean

__all__ = [
    "NUMBER",
    "TEXT",
    "WHOLE",
    "Opened",
    "Raw",
    "Rows",
    "content",
    "decoded",
    "first_of",
    "rows",
    "table",
]

T = TypeVar("T")
Raw: TypeAlias = dict[str, pa.Table]
"""The tables `events`, maybe `users` and `items`, with rows and columns in any order."""

TEXT, WHOLE, NUMBER = pa.string(), pa.int64(), pa.float64()


def first_of(files: Opened, *names: str) -> str:
    """The first of `names` that is there: publishers rename their files.

    Raises:
        UserError: None is there.
    """
    for name in names:
        if name in files:
            return name
    raise UserError(f"no file {' or '.join(names)}{did_you_mean(names[0], files)}")


def content(files: Opened, name: str) -> bytes:
    """What is in a file."""
    found = files[first_of(files, name)]
    return found.read_bytes() if isinstance(found, Path) else found


def decoded(files: Opened, name: str, encoding: str = "utf-8") -> str:
    """The text of a file; a byte that is none is an error that names its row."""
    data = content(files, name)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{name}:{row}: byte 0x{data[error.start]:02x} is not {encoding}") from None


@dataclass(frozen=True)
class Rows:
    """The columns of one small file as text, and the number of its first row for messages."""

    file: str
    columns: dict[str, Sequence[str]]
    first: int

    def __getitem__(self, column: str) -> Sequence[str]:
        return self.columns[column]

    def convert(self, column: str, kind: Callable[[str], T], expected: str) -> list[T]:
        """The values of a column as another kind; one that is not `expected` is an error with its row."""
        values = []
        for row, text in enumerate(self.columns[column], self.first):
            try:
                values.append(kind(text))
            except ValueError:
                where = f"{self.file}:{row}: {column}"
                raise UserError(f"{where} is {text!r}, expected {expected}") from None
        return values


def rows(
    files: Opened,
    name: str,
    layout: str,
    separator: str = "\t",
    encoding: str = "utf-8",
    header: bool = False,
) -> Rows:
    """A small file without quotes, whose columns are those of `layout`."""
    columns = layout.split()
    # Not splitlines(), which also breaks at characters that a title may hold.
    lines = decoded(files, name, encoding).removesuffix("\n").split("\n")
    cells = [line.removesuffix("\r").split(separator) for line in lines]
    for number, row in enumerate(cells, 1):
        if len(row) != len(columns):
            raise UserError(f"{name}:{number}: {len(row)} columns, expected {len(columns)}")
    body = cells[1:] if header else cells
    values = zip(*body, strict=True) if body else [()] * len(columns)
    return Rows(name, dict(zip(columns, values, strict=True)), first=2 if header else 1)


def table(
    files: Opened,
    name: str,
    kinds: Mapping[str, pa.DataType],
    separator: str = ",",
    names: Sequence[str] = (),
    encoding: str = "utf-8",
    quote: str = '"',
) -> pa.Table:
    """The columns of `kinds` of a large file; an empty cell is null.

    Args:
        files: By name.
        name: The file.
        kinds: The wanted columns and their types, `TEXT`, `WHOLE` or `NUMBER`.
        separator: Between cells.
        names: Of the columns, in order, where the file has no header.
        encoding: Of the file.
        quote: Around cells that hold a separator, empty if there is none.
    """
    first_of(files, name)
    form = TableConfig([name], "csv", separator, not names, names=list(names), encoding=encoding, quote=quote)
    wanted: dict[str, Kind] = {column: "text" if kind == TEXT else "number" for column, kind in kinds.items()}
    return (
        read_table(name, form, {name: files[name]}, wanted, Report())
        .select(list(kinds))
        .cast(pa.schema(kinds))
    )

"""The columns that are wanted of a file, and pieces of the file that hold them as they stand there."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import pyarrow as pa

from benchmarks.datasets.reading import columns, times
from zoo.core.errors import UserError, did_you_mean

Kind: TypeAlias = Literal["text", "number", "list", "time"]

KEYS = ("user_id", "item_id", "time")
"""Columns in which an empty cell is a mistake."""


@dataclass(frozen=True)
class Column:
    """A wanted column.

    Attributes:
        name: Our name.
        theirs: The file's name.
        separator: Of the values of a list, empty where a cell cannot be cut.
        unit: Of times.
        empty: Cells that stand for no value; in keys, numbers and times `columns.NULLS` do so too.
    """

    name: str
    theirs: str
    kind: Kind
    separator: str = ""
    unit: str = "seconds"
    empty: Sequence[str] = columns.NOTHING

    def read(self, cells: pa.Array) -> columns.Cells:
        """The cells as what is wanted; in a key an empty one is bad as well.

        Raises:
            WrongType: They are of a type that cannot be read so.
        """
        read = self._as_kind(cells)
        if self.name in KEYS and read.values.null_count:
            return columns.Cells(read.values, read.values.is_null(), read.rest)
        return read

    def _as_kind(self, cells: pa.Array) -> columns.Cells:
        if self.kind == "list":
            return columns.to_lists(cells, self.separator, self.empty)
        if self.kind == "time":
            return times.to_times(cells, self.unit, self.empty)
        if self.kind == "number":
            return columns.to_number(cells, self.empty)
        # Somebody called null is nobody, far more often than not.
        return columns.to_text(cells, {*columns.NULLS, *self.empty} if self.name in KEYS else self.empty)

    def fault(self, cell: object) -> str:
        """What a message says of a cell that is bad."""
        if cell is None or (isinstance(cell, str) and cell.strip() in {*columns.NULLS, *self.empty}):
            return f"{self.theirs} is empty, expected a value"
        what = {"number": "expected a number", "list": "expected a list"}.get(self.kind, "")
        return f"{self.theirs} is {shown(cell)}, {what or times.expected(self.unit, str(cell))}"


@dataclass(frozen=True)
class Piece:
    """Some rows of a file.

    Attributes:
        cells: The wanted columns by our name, of whatever type the file has.
        rows: How many there are.
        place: The file and line of a row of the piece, from 0.
        faults: Place and reason of each row that is left out because it has no cells to speak of.
    """

    cells: dict[str, pa.Array]
    rows: int
    place: Callable[[int], str]
    faults: list[tuple[str, str]] = field(default_factory=list)


def locate(place: str, wanted: Iterable[Column], found: Sequence[str]) -> dict[str, int]:
    """The position of each wanted column among those found.

    Raises:
        UserError: One is not there, or there twice.
    """
    for column in wanted:
        if found.count(column.theirs) != 1:
            ours = f" (for {column.name})" if column.name != column.theirs else ""
            if column.theirs in found:
                raise UserError(f"{place}: column {column.theirs!r}{ours} is there twice")
            near = did_you_mean(column.theirs, found)
            raise UserError(f"{place}: no column {column.theirs!r}{ours}{near}, found {listed(found)}")
    return {column.name: found.index(column.theirs) for column in wanted}


def listed(names: Sequence[str]) -> str:
    """Names for a message, not too many and not too long."""
    some = ", ".join(name if len(name) <= 40 else f"{name[:37]}…" for name in names[:20])
    return f"{some}, … ({len(names):,} in all)" if len(names) > 20 else some or "none"


def shown(cell: object) -> str:
    """A cell as a message quotes it."""
    return reprlib.repr(cell)

"""Tables out of files: what a config says of a file, and an Arrow table of the columns that are wanted."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from functools import reduce
from pathlib import Path, PurePath
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.datasets.reading.columnar import read_parquet
from benchmarks.datasets.reading.columns import LIST, TEXT, Cells, WrongType, as_whole
from benchmarks.datasets.reading.delimited import Delimited, read_delimited
from benchmarks.datasets.reading.jsonlines import read_json_lines
from benchmarks.datasets.reading.pieces import Column, Kind, Piece, listed
from benchmarks.datasets.reading.report import SAMPLES, Report
from benchmarks.datasets.reading.streams import Opened
from benchmarks.datasets.reading.times import UNITS
from zoo.core.config import demand
from zoo.core.errors import UserError, did_you_mean

__all__ = ["Kind", "Opened", "Report", "TableConfig", "read_table"]

_ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_SEPARATORS = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True)
class TableConfig:
    """How files read as one table.

    Attributes:
        files: Names or patterns; the rows of several files follow one another.
        format: By the ending if empty; gzip'd or not is seen.
        separator: Between cells, of one or more characters; a comma, or a tab for tsv, if empty.
        header: Whether the first line names the columns.
        names: Of the columns where no line does.
        encoding: Of text files.
        quote: Around cells that hold separators; empty where quotes are plain text.
        columns: The file's names of columns by ours; one of the same name need not be said, and a key that is
            not there at all is said to be "".
        time: Unit or form of times: seconds, milliseconds, microseconds, nanoseconds, iso, or one such as
            `%d/%m/%Y %H:%M`.
        lists: What separates the values of a cell that holds several, by our name of the column; `json` for
            cells such as `["a", "b"]`.
        bad_rows: Share of the rows that may be unreadable; they are left out.
    """

    files: list[str]
    format: Literal["", "csv", "tsv", "parquet", "jsonl"] = ""
    separator: str = ""
    header: bool = True
    names: list[str] = field(default_factory=list)
    encoding: str = "utf-8"
    quote: str = '"'
    columns: dict[str, str] = field(default_factory=dict)
    time: str = "seconds"
    lists: dict[str, str] = field(default_factory=dict)
    bad_rows: float = 0.0

    def __post_init__(self) -> None:
        separator_is_good = not set(self.separator) & set("\n\r" + self.quote)
        demand(
            (bool(self.files), "files must name at least one"),
            (separator_is_good, f"separator must hold no line end and no quote, found {self.separator!r}"),
            (self.header or bool(self.names), "names must say the columns where there is no header"),
            (not (self.header and self.names), "names are for files without a header: set header: false"),
            (len(set(self.names)) == len(self.names), "names must differ from one another"),
            (_is_encoding(self.encoding), f"encoding is not known, found {self.encoding!r}"),
            (len(self.quote.encode()) <= 1, f"quote must be one character or none, found {self.quote!r}"),
            (
                _is_time(self.time),
                f"time must be {', '.join(UNITS)}, iso or like %d/%m/%Y, found {self.time!r}",
            ),
            (all(self.lists.values()), "lists must say what separates the values"),
            (0 <= self.bad_rows < 1, f"bad_rows must be a share below 1, found {self.bad_rows}"),
        )

    def theirs(self, column: str) -> str:
        """The file's name of our column."""
        return self.columns.get(column) or column

    def format_of(self, file: str) -> str:
        """The format of a file.

        Raises:
            UserError: Neither the ending nor the config tells it.
        """
        ending = PurePath(file.lower().removesuffix(".gz")).suffix
        known = self.format or _ENDINGS.get(ending) or ("csv" if self.separator else "")
        if not known:
            raise UserError(f"{file}: the ending tells no format: set format, or separator")
        return known


def read_table(
    name: str, config: TableConfig, files: Opened, kinds: Mapping[str, Kind], report: Report
) -> pa.Table:
    """The wanted columns of all files.

    Text is dictionary<int32, string>; numbers are int64 if all are whole, double otherwise; lists are
    list<string>; times are int64 seconds since 1970 UTC, and where one is finer than that the column `order`
    has its nanoseconds. Empty cells are null.

    Args:
        name: Of the table, for messages and the report.
        config: How the files read.
        files: By name.
        kinds: The wanted columns by our names.
        report: Told what was read, and which rows were left out.

    Raises:
        UserError: A file, a column or a row is not as described; one line that says where.
    """
    wanted = [
        Column(column, config.theirs(column), kind, config.lists.get(column, ""), config.time)
        for column, kind in kinds.items()
    ]
    parts: list[dict[str, Cells]] = []
    for file in _chosen(name, config, files):
        for piece in _pieces(file, files[file], config, wanted):
            parts.append(_read(name, file, piece, wanted, report))
            if not config.bad_rows:  # no need to read on
                report.check(name, 0)
        report.check(name, config.bad_rows)
    if not any(len(cells.values) for part in parts for cells in part.values()):
        raise UserError(f"{name}: no rows in {', '.join(config.files)}")
    return _joined(wanted, parts)


def _chosen(name: str, config: TableConfig, files: Opened) -> list[str]:
    chosen: dict[str, None] = {}
    for pattern in config.files:
        found = (
            [pattern] if pattern in files else sorted(file for file in files if fnmatchcase(file, pattern))
        )
        if not found:
            near = did_you_mean(pattern, files)
            raise UserError(f"{name}: no file {pattern!r}{near}, found {listed(sorted(files))}")
        chosen |= dict.fromkeys(found)
    return list(chosen)


def _pieces(
    file: str, opened: Path | bytes, config: TableConfig, wanted: Sequence[Column]
) -> Iterator[Piece]:
    form = config.format_of(file)
    if form == "parquet":
        return read_parquet(file, opened, wanted)
    if form == "jsonl":
        return read_json_lines(file, opened, config.encoding, wanted)
    # In YAML '\t' in single quotes is a backslash and a t.
    separator = config.separator.replace("\\t", "\t") or _SEPARATORS[form]
    return read_delimited(
        file, opened, Delimited(separator, config.quote, config.encoding, config.names), wanted
    )


def _read(table: str, file: str, piece: Piece, wanted: Sequence[Column], report: Report) -> dict[str, Cells]:
    """The good rows of a piece, after telling of the bad ones."""
    read = {column.name: _column(file, column, piece.cells[column.name]) for column in wanted}
    wrong = {
        name: cells.bad for name, cells in read.items() if cells.bad is not None and cells.bad.true_count
    }
    bad = reduce(pc.or_, wrong.values()) if wrong else None
    count = bad.true_count if bad is not None else 0
    samples = [f"{place}: {reason}" for place, reason in piece.faults[:SAMPLES]]
    for row in pc.indices_nonzero(bad)[:SAMPLES].to_pylist() if bad is not None else []:
        column = next(column for column in wanted if column.name in wrong and wrong[column.name][row].as_py())
        samples.append(f"{piece.place(row)}: {column.fault(piece.cells[column.name][row].as_py())}")
    report.add(table, file, piece.rows + len(piece.faults), count + len(piece.faults), samples)
    if bad is None:
        return read
    good = pc.invert(bad)
    return {name: cells.filter(good) for name, cells in read.items()}


def _column(file: str, column: Column, cells: pa.Array) -> Cells:
    try:
        return column.read(cells)
    except WrongType as expected:
        raise UserError(f"{file}: column {column.theirs} is {cells.type}, expected {expected}") from None


def _joined(wanted: Sequence[Column], parts: Sequence[Mapping[str, Cells]]) -> pa.Table:
    joined = {
        column.name: _join(column.kind, [part[column.name].values for part in parts]) for column in wanted
    }
    rests = [part["time"].rest for part in parts if "time" in part]
    if any(rest is not None for rest in rests) and "order" not in joined:
        whole = [len(part["time"].values) for part in parts]
        joined["order"] = pa.chunked_array(
            [pa.repeat(0, n) if rest is None else rest for n, rest in zip(whole, rests, strict=True)]
        )
    return pa.table(joined)


def _join(kind: Kind, chunks: list[pa.Array]) -> pa.ChunkedArray:
    if kind == "text":
        return pa.chunked_array(chunks, TEXT).unify_dictionaries()
    if kind != "number":
        return pa.chunked_array(chunks, LIST if kind == "list" else pa.int64())
    # What is whole in one piece need not be in the next.
    doubles = pa.chunked_array([chunk for chunk in chunks if pa.types.is_floating(chunk.type)], pa.float64())
    if as_whole(doubles) is None:
        return pa.chunked_array([chunk.cast(pa.float64(), safe=False) for chunk in chunks])
    return pa.chunked_array([chunk.cast(pa.int64()) for chunk in chunks], pa.int64())


def _is_encoding(name: str) -> bool:
    try:
        return bool(codecs.lookup(name)._is_text_encoding)
    except (LookupError, ValueError):
        return False


def _is_time(form: str) -> bool:
    try:
        datetime.strptime(datetime(2001, 2, 3, 4, 5, 6).strftime(form), form)
    except (ValueError, re.error):
        return False
    return form in UNITS or form == "iso" or "%" in form

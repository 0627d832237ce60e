"""Tables out of files, as a config describes them: Arrow tables of the columns that are wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.datasets.reading.columnar import read_parquet
from benchmarks.datasets.reading.columns import LIST, TEXT, Cells, WrongType, as_whole
from benchmarks.datasets.reading.delimited import Delimited, read_delimited
from benchmarks.datasets.reading.jsonlines import read_json_lines
from benchmarks.datasets.reading.pieces import Column, Kind, Piece, listed
from benchmarks.datasets.reading.report import SAMPLES, Report
from benchmarks.datasets.reading.streams import Opened
from benchmarks.datasets.table_config import PARTS, TableConfig
from zoo.core.errors import UserError, did_you_mean

__all__ = ["Kind", "Opened", "Report", "TableConfig", "read_table"]

_SEPARATORS = {"csv": ",", "tsv": "\t"}
_SPLIT = Column("split", "split", "number")


def read_table(
    name: str, config: TableConfig, files: Opened, kinds: Mapping[str, Kind], report: Report
) -> pa.Table:
    """The wanted columns of all files.

    Text is dictionary<int32, string>; numbers are int64 if all are whole, double otherwise; lists are
    list<string>; times are int64 seconds since 1970 UTC, and where one is finer than that the column `order`
    has its nanoseconds. Empty cells are null. Where the config knows parts, int64 `split` is a row's.

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
        Column(column, config.theirs(column), kind, config.lists.get(column, ""), config.time, config.empty)
        for column, kind in kinds.items()
    ]
    parts: list[dict[str, Cells]] = []
    for file, of in _chosen(name, config, files).items():
        for piece in _pieces(file, files[file], config, wanted):
            parts.append(_marked(_read(name, file, piece, wanted, report), of))
            if not config.bad_rows:  # no need to read on
                report.check(name, 0)
        report.check(name, config.bad_rows)
    if not any(len(cells.values) for part in parts for cells in part.values()):
        raise UserError(f"{name}: no rows in {', '.join(config.patterns)}")
    return _joined([*wanted, _SPLIT] if config.split else wanted, parts)


def _chosen(name: str, config: TableConfig, files: Opened) -> dict[str, str]:
    """The files to read, and of which part of a published split each is."""
    chosen: dict[str, str] = {}
    for part, pattern in config.split.items() or [("", pattern) for pattern in config.files]:
        found = (
            [pattern] if pattern in files else sorted(file for file in files if fnmatchcase(file, pattern))
        )
        if not found:
            near = did_you_mean(pattern, files)
            raise UserError(f"{name}: no file {pattern!r}{near}, found {listed(sorted(files))}")
        for file in found:
            if chosen.setdefault(file, part) != part:
                raise UserError(f"{name}: {file} is both {chosen[file]} and {part} of the split")
    return chosen


def _marked(cells: dict[str, Cells], part: str) -> dict[str, Cells]:
    """The columns of some rows, and the part of the split that all of them are in, if there is one."""
    if not part:
        return cells
    rows = len(next(iter(cells.values())).values)
    return cells | {"split": Cells(pa.repeat(pa.scalar(PARTS[part], pa.int64()), rows))}


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

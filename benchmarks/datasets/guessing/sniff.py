"""The first rows of a file of unknown form, and how it reads, each with the evidence."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from benchmarks.datasets.guessing.dialects import LINES, Cut, Option, cut_of, header_of, records_of
from benchmarks.datasets.reading.report import Report
from benchmarks.datasets.reading.streams import open_file, read_chunks, read_text
from benchmarks.datasets.tables import Kind, TableConfig, read_table
from zoo.core.errors import UserError

MAX_BYTES = 20 * 2**20
MAX_ROWS = 50_000
MAX_COLUMNS = 10_000


@dataclass(frozen=True)
class Sample:
    """The first rows of a file.

    Attributes:
        options: How the file reads, where the defaults do not do.
        columns: As the file has them, by its names, or `column_1` … where it has none.
        rows: Of the whole file, about.
    """

    file: str
    options: list[Option]
    columns: dict[str, pa.Array]
    rows: int

    @property
    def form(self) -> tuple[Any, ...]:
        """Files of the same form are one table."""
        return tuple(self.columns), tuple((option.key, str(option.value)) for option in self.options)


def sniff(path: Path) -> Sample:
    """The first rows of a file.

    Raises:
        UserError: It is empty, a folder, binary or damaged, in one line.
    """
    name = path.name
    head, whole = _head(path)
    if head.startswith(b"PAR1"):
        return _parquet(path)
    if head.lstrip()[:1] == b"[":
        raise UserError(f"{name}: begins with '[', expected one JSON object a line, or a table")
    text, options = _decoded(name, head, whole)
    if text.lstrip()[:1] == b"{":
        return _json_lines(path, text, options)
    return _delimited(path, text, options)


def _head(path: Path) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    for chunk in read_chunks(path.name, path):
        parts.append(chunk)
        if sum(map(len, parts)) >= MAX_BYTES:
            return b"".join(parts)[:MAX_BYTES], False
    return b"".join(parts), True


def _decoded(name: str, head: bytes, whole: bool) -> tuple[bytes, list[Option]]:
    """The head as UTF-8, whole lines only."""
    name = name.removesuffix(".gz")  # it is unpacked by now
    options = []
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        options = [Option("encoding", "utf-16", "the file begins with the mark of UTF-16")]
    try:
        encoding = options[0].value if options else "utf-8"
        text = b"".join(read_text(name, head, encoding, whole))
    except UserError as error:
        line, _, byte = str(error).removeprefix(f"{name}:").partition(": ")
        if not byte.startswith("byte"):
            raise
        options = [Option("encoding", "latin-1", f"? {byte.partition(',')[0]}, line {line}")]
        text = b"".join(read_text(name, head, "latin-1", whole))
    if whole and not text.endswith(b"\n"):
        return text + b"\n", options
    return text[: text.rfind(b"\n") + 1], options


def _delimited(path: Path, text: bytes, options: list[Option]) -> Sample:
    cut = cut_of(text)
    if cut.width > MAX_COLUMNS:
        raise UserError(
            f"{path.name}:1: {cut.width:,} columns, expected at most {MAX_COLUMNS:,}: is it a table?"
        )
    records = records_of(text, cut.dialect, MAX_ROWS)
    if not records:
        raise UserError(f"{path.name}: there are no rows")
    header, why = header_of(records[:LINES], cut.dialect)
    cells = [cell.decode().strip() for cell in cut.dialect.cells(records[0]) or []]
    names = cells if header else [f"column_{at}" for at in range(1, cut.width + 1)]
    config = TableConfig(
        [path.name],
        "csv",
        cut.separator,
        header,
        [] if header else names,
        quote=cut.quote,
        bad_rows=0.5,
    )
    counts = Counter(names)
    kinds: dict[str, Kind] = {name: "text" for name in names if counts[name] == 1}
    report = Report()
    table = read_table("events", config, {path.name: b"\n".join(records) + b"\n"}, kinds, report)
    options += _options(path.name, cut, header, why, report)
    size = path.stat().st_size * (5 if path.name.endswith(".gz") else 1)
    columns = {name: table[name].combine_chunks() for name in kinds}
    rows = table.num_rows * max(1.0, size / sum(len(record) + 1 for record in records))
    return Sample(path.name, options, columns, round(rows))


def _options(file: str, cut: Cut, header: bool, why: str, report: Report) -> list[Option]:
    name = file.removesuffix(".gz")
    usual = "," if name.endswith(".csv") else "\t" if name.endswith((".tsv", ".tab")) else ""
    options = []
    if cut.separator != usual:
        even = f"{cut.share:.0%} of the first lines have {cut.width} cells"
        options.append(Option("separator", cut.separator, even if cut.width > 1 else "? one cell a line"))
    if not cut.quote:
        options.append(Option("quote", "", "cells begin with quotes that do not end them"))
    if not header or why.startswith("?"):
        options.append(Option("header", header, why))
    found = next(iter(report.files.values()))
    if found.bad:
        many = f"{found.bad:,} of {found.rows:,} sampled rows are bad ({found.samples[0]})"
        options.append(Option("bad_rows", 0.0, f"? {many}; a share above 0 leaves them out"))
    return options


def _parquet(path: Path) -> Sample:
    with open_file(path.name, path) as stream:
        try:
            source = parquet.ParquetFile(stream)
            batch = next(source.iter_batches(MAX_ROWS), None)
        except pa.ArrowException as error:
            raise UserError(f"{path.name}: is no Parquet file, or damaged ({error})") from None
        if batch is None or not batch.num_rows:
            raise UserError(f"{path.name}: there are no rows")
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        told = [Option("format", "parquet", "the file begins with PAR1")]
        named = path.name.endswith((".parquet", ".pq"))
        return Sample(path.name, [] if named else told, columns, source.metadata.num_rows)


def _json_lines(path: Path, text: bytes, options: list[Option]) -> Sample:
    rows = []
    for number, line in enumerate(text.split(b"\n")[:MAX_ROWS], 1):
        try:
            rows.append(json.loads(line) if line.strip() else {})
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path.name}:{number}: is not JSON ({error})") from None
    keys = list(dict.fromkeys(key for row in rows for key in row))
    rows = [row for row in rows if row]
    columns = {key: _json_column([row.get(key) for row in rows]) for key in keys}
    if not path.name.removesuffix(".gz").endswith((".jsonl", ".json", ".ndjson")):
        options = [Option("format", "jsonl", "the first line is a JSON object"), *options]
    return Sample(path.name, options, columns, len(rows))


def _json_column(values: list[Any]) -> pa.Array:
    if any(isinstance(value, list) for value in values):
        return pa.array([list(map(str, value)) if isinstance(value, list) else None for value in values])
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if value is None else str(value) for value in values])

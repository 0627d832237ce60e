"""Tables of cells between separators, by Arrow's CSV parser on blocks of whole records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from benchmarks.datasets.reading.columns import TEXT
from benchmarks.datasets.reading.pieces import Column, Piece, locate, shown
from benchmarks.datasets.reading.records import Block, Dialect, read_records
from zoo.core.errors import UserError

SEPARATORS = (",", "\t", ";", "|", "::", " ", ":")
"""Those that a message may propose."""

_STAND_INS = (b"\x1f", b"\x1e", b"\x1d", b"\x1c", b"\x01", b"\x02")
"""Arrow separates by one byte; the first of these that a block does not hold stands for longer separators."""


@dataclass(frozen=True)
class Delimited:
    """How a file is cut into cells.

    Attributes:
        names: Of the columns, where no line says them.
    """

    separator: str
    quote: str
    encoding: str
    names: Sequence[str] = ()

    @property
    def dialect(self) -> Dialect:
        """The same in bytes."""
        return Dialect(self.separator.encode(), self.quote.encode())


def read_delimited(
    file: str, opened: Path | bytes, form: Delimited, wanted: Sequence[Column]
) -> Iterator[Piece]:
    """The wanted columns of a file, as strings.

    Raises:
        UserError: A column is not there, the separator is wrong, or see `read_records`.
    """
    parser: _Parser | None = None
    for block in read_records(file, opened, form.encoding, form.dialect):
        if parser is None:
            parser = _parser(file, form, wanted, block)
            block = block if form.names else block.tail()
        if block.data:
            yield parser.piece(block)


def _parser(file: str, form: Delimited, wanted: Sequence[Column], block: Block) -> _Parser:
    place = f"{file}:{block.lines()[0]}"
    head = block.head(1)[0]
    cells = [_name(cell) for cell in form.dialect.cells(head) or []]
    names = list(form.names) or cells
    if len(cells) == 1 and (len(names) > 1 or names[0] not in {column.theirs for column in wanted}):
        _refuse_separator(place, head, form, wanted)
    if not set(names) & {column.theirs for column in wanted} and any(map(_is_number, names)):
        told = f"names no wanted column, {shown(head.decode())}"
        raise UserError(f"{place}: {told}; without a header set header: false and names")
    return _Parser(file, len(names), wanted, locate(place, wanted, names))


def _name(cell: bytes) -> str:
    return cell.decode().strip()


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).isdecimal()


def _refuse_separator(place: str, head: bytes, form: Delimited, wanted: Sequence[Column]) -> None:
    """Ends with a mistake if another separator cuts the first line into more than one cell."""
    dialects = {sign: Dialect(sign.encode(), form.quote.encode()) for sign in SEPARATORS}
    cut = {sign: [_name(cell) for cell in dialect.cells(head) or []] for sign, dialect in dialects.items()}
    theirs = {column.theirs for column in wanted}
    fit = [sign for sign, cells in cut.items() if len(cells) > 1]
    exact = [sign for sign in fit if theirs <= set(cut[sign]) or len(cut[sign]) == len(form.names)]
    if not fit:
        return
    would = " or ".join(f"{_typed(sign)} ({len(cut[sign])} columns)" for sign in exact or fit)
    line = shown(head.decode())
    raise UserError(f"{place}: one column only, {line}, with separator {_typed(form.separator)}; try {would}")


def _typed(separator: str) -> str:
    """A separator as it is typed in YAML."""
    return '"\\t"' if separator == "\t" else f'"{separator}"'


@dataclass(frozen=True)
class _Parser:
    file: str
    width: int
    wanted: Sequence[Column]
    positions: Mapping[str, int]

    def piece(self, block: Block) -> Piece:
        table, faults = self.parse(block, threads=True)
        if faults:  # only one thread knows the numbers of the rows
            table, faults = self.parse(block, threads=False)
        lines = cache(block.lines)
        bad = [int(row.number) - 1 for row in faults]
        good = cache(lambda: np.delete(lines(), bad))
        return Piece(
            cells={name: table.column(str(at)).combine_chunks() for name, at in self.positions.items()},
            rows=table.num_rows,
            place=lambda row: f"{self.file}:{good()[row]}",
            faults=[(f"{self.file}:{lines()[at]}", _width(row)) for at, row in zip(bad, faults, strict=True)],
        )

    def parse(self, block: Block, threads: bool) -> tuple[pa.Table, list[csv.InvalidRow]]:
        faults: list[csv.InvalidRow] = []

        def skip(row: csv.InvalidRow) -> str:
            faults.append(row)
            return "skip"

        data, sign, wide = _narrow(block)
        try:
            table = csv.read_csv(
                pa.BufferReader(data),
                csv.ReadOptions(
                    use_threads=threads,
                    block_size=len(data) + 1,
                    column_names=[str(at) for at in range(self.width)],
                ),
                csv.ParseOptions(
                    delimiter=sign,
                    quote_char=block.dialect.quote.decode() or False,
                    newlines_in_values=True,
                    invalid_row_handler=skip,
                ),
                self.conversion(),
            )
        except pa.ArrowInvalid as error:
            where = f"{self.file}: at or after line {block.line}"
            raise UserError(f"{where}: {str(error).splitlines()[0]}") from None
        return (_widened(table, sign, wide) if wide else table), faults

    def conversion(self) -> csv.ConvertOptions:
        kinds = {str(at): pa.string() for at in self.positions.values()}
        # An id comes again and again: as a number of a dictionary it takes four bytes.
        kinds |= {str(self.positions[c.name]): TEXT for c in self.wanted if c.kind == "text"}
        return csv.ConvertOptions(
            check_utf8=False, column_types=kinds, include_columns=list(kinds), strings_can_be_null=False
        )


def _width(row: csv.InvalidRow) -> str:
    below = " (a quote opens here and closes on a line below)" if "\n" in row.text else ""
    return f"{row.actual_columns:,} cells, expected {row.expected_columns:,}{below}"


def _narrow(block: Block) -> tuple[bytes, str, bytes]:
    """A block with a separator of one byte, and the longer one that stands inside quotes, if any may."""
    separator, quote = block.dialect.separator, block.dialect.quote
    if len(separator) == 1:
        return block.data, separator.decode(), b""
    sign = next((sign for sign in _STAND_INS if sign not in block.data), _STAND_INS[0])
    quoted = separator if quote and quote in block.data else b""
    return block.data.replace(separator, sign), sign.decode(), quoted


def _widened(table: pa.Table, sign: str, separator: bytes) -> pa.Table:
    """The cells as they were before `_narrow`."""
    for at, name in enumerate(table.column_names):
        texts = table[name].cast(pa.string())
        table = table.set_column(at, name, pc.replace_substring(texts, sign, separator.decode()))
    return table

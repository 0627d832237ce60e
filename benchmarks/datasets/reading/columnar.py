"""Tables in Parquet files, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

from benchmarks.datasets.reading.pieces import Column, Piece, locate
from benchmarks.datasets.reading.streams import open_file
from zoo.core.errors import UserError

ROWS = 2**20


def read_parquet(file: str, opened: Path | bytes, wanted: Sequence[Column]) -> Iterator[Piece]:
    """The wanted columns of a file, of whatever types it has.

    Raises:
        UserError: A column is not there, or the file is no Parquet file, or damaged.
    """
    with open_file(file, opened) as stream:
        if not stream.read(1):
            raise UserError(f"{file}: the file is empty")
        stream.seek(0)
        try:
            source = parquet.ParquetFile(stream)
            locate(file, wanted, source.schema_arrow.names)
            first = 1
            for batch in source.iter_batches(ROWS, columns=sorted({column.theirs for column in wanted})):
                cells = {column.name: batch.column(column.theirs) for column in wanted}
                yield Piece(cells, batch.num_rows, partial(_place, file, first))
                first += batch.num_rows
        except pa.ArrowException as error:
            raise UserError(f"{file}: is no Parquet file, or damaged ({_first_line(error)})") from None


def _place(file: str, first: int, row: int) -> str:
    return f"{file}: row {first + row:,}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]

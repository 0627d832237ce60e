"""BARS's form of click tables: `train.csv`, `valid.csv` and `test.csv` with one header."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import pyarrow as pa

from benchmarks.datasets.readers.rows import NUMBER, TEXT, Opened, Raw, first_of, table

PARTS = {"train.csv": 0, "valid.csv": 1, "test.csv": 2}
NUMBERS = re.compile("label|Label|click|I[0-9]+")
"""The columns that hold numbers: labels, and the counts of Criteo."""

OURS = {"user": "user_id", "item": "item_id"}


def read(files: Opened) -> Raw:
    """The raw tables; `split` says from which file a row comes."""
    return {"events": pa.concat_tables([_part(files, name, split) for name, split in PARTS.items()])}


def _part(files: Opened, name: str, split: int) -> pa.Table:
    columns = _header(files, name).split(",")
    kinds = {column: NUMBER if NUMBERS.fullmatch(column) else TEXT for column in columns}
    rows = table(files, name, kinds)
    rows = rows.rename_columns([OURS.get(column, column) for column in columns])
    return rows.append_column("split", pa.repeat(pa.scalar(split, pa.int64()), rows.num_rows))


def _header(files: Opened, name: str) -> str:
    """The first line, without reading on: these files have gigabytes."""
    found = files[first_of(files, name)]
    if isinstance(found, Path):
        with found.open(encoding="utf-8") as lines:
            return "".join(islice(lines, 1)).strip()
    return found.split(b"\n", 1)[0].decode().strip()

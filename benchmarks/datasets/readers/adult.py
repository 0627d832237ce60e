"""Adult: `adult.data` and `adult.test` of UCI (under a line that is no row), or one Parquet file."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.datasets.readers.rows import TEXT, WHOLE, Opened, Raw, content, table

PARQUET = "adult.parquet.brotli"
_NAMES = (
    "age workclass fnlwgt education education_num marital_status occupation relationship race gender "
    "capital_gain capital_loss hours_per_week native_country income"
)
NAMES = _NAMES.split()
NUMBERS = {"age", "education_num", "capital_gain", "capital_loss", "hours_per_week"}
LEFT_OUT = {"fnlwgt", "relationship"}
"""A weight of the census, and one that nearly tells whether somebody is married."""

KINDS = {column: WHOLE if column in NUMBERS else TEXT for column in NAMES if column not in LEFT_OUT}


def read(files: Opened) -> Raw:
    """The raw tables."""
    if PARQUET in files:
        return {"events": _parquet(files)}
    test = content(files, "adult.test").split(b"\n", 1)[-1]
    # The test rows come first, as in the copies that other libraries carry.
    parts = [table({"adult.test": test}, "adult.test", KINDS, ", ", NAMES)]
    events = pa.concat_tables([*parts, table(files, "adult.data", KINDS, ", ", NAMES)])
    income = pc.utf8_rtrim(events["income"], ".")
    return {"events": events.set_column(events.column_names.index("income"), "income", income)}


def _parquet(files: Opened) -> pa.Table:
    people = pq.read_table(pa.BufferReader(content(files, PARQUET)))
    people = people.rename_columns({"educational-num": "education-num"})
    people = people.rename_columns([name.replace("-", "_") for name in people.column_names])
    return people.select(list(KINDS)).cast(pa.schema(KINDS))

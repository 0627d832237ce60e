"""Avazu in BARS's form: as `ctr_splits`, with the hour of each row as YYMMDDHH."""

from __future__ import annotations

import pyarrow.compute as pc

from benchmarks.datasets.readers import ctr_splits
from benchmarks.datasets.readers.rows import WHOLE, Opened, Raw


def read(files: Opened) -> Raw:
    """The raw tables; `id` only numbers the rows and is left out."""
    events = ctr_splits.read(files)["events"]
    hours = pc.strptime(pc.binary_join_element_wise("20", events["hour"], ""), "%Y%m%d%H", "s")
    return {"events": events.drop_columns(["id", "hour"]).append_column("time", hours.cast(WHOLE))}

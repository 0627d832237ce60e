"""LightGCN's form, also of BARS: a line `user item item …` in `train.txt` and in `test.txt`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from benchmarks.datasets.readers.rows import TEXT, Opened, Raw, decoded


def read(files: Opened) -> Raw:
    """The raw tables; a user without items has a line too, and no event."""
    parts = [_part(files, "train.txt", 0), _part(files, "test.txt", 2)]
    return {"events": pa.concat_tables(parts)}


def _part(files: Opened, name: str, split: int) -> pa.Table:
    lines = [line.split() for line in decoded(files, name).split("\n")]
    return events({line[0]: line[1:] for line in lines if line}, split)


def events(items: Mapping[str, Sequence[object]], split: int) -> pa.Table:
    """One row for each item of each user, of one part of the published split."""
    sizes = np.array([len(row) for row in items.values()], np.int64)
    users = pa.array(list(items), TEXT).take(np.repeat(np.arange(len(items)), sizes))
    flat = pa.array([str(item) for row in items.values() for item in row], TEXT)
    return pa.table({"user_id": users, "item_id": flat, "split": np.full(len(flat), split, np.int64)})

"""LCFN's form, also of BARS: a JSON list with each user's list of items in train, validation and test."""

from __future__ import annotations

import json

import pyarrow as pa

from benchmarks.datasets.readers.item_lines import events
from benchmarks.datasets.readers.rows import Opened, Raw, content

PARTS = {"train_data.json": 0, "validation_data.json": 1, "test_data.json": 2}


def read(files: Opened) -> Raw:
    """The raw tables; a user's id is the place in the list."""
    parts = [
        events({str(user): row for user, row in enumerate(json.loads(content(files, name)))}, split)
        for name, split in PARTS.items()
    ]
    return {"events": pa.concat_tables(parts)}

"""S3-Rec's form: a line `user item item …` in the order of time, and a JSON map from item to attributes."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from benchmarks.datasets.readers.item_lines import events
from benchmarks.datasets.readers.rows import TEXT, Opened, Raw, content, decoded, first_of


def read(files: Opened) -> Raw:
    """The raw tables; a time is the place in the user's line."""
    lines = [
        line.split() for line in decoded(files, first_of(files, "sequences.txt", "Beauty.txt")).split("\n")
    ]
    items = {line[0]: line[1:] for line in lines if line}
    place = np.concatenate([np.arange(len(row)) for row in items.values()])
    table = events(items, 0).drop_columns("split").append_column("time", pa.array(place))
    return {"events": table, "items": _items(files)}


def _items(files: Opened) -> pa.Table:
    name = first_of(files, "item_attributes.json", "Beauty_item2attributes.json")
    attributes = json.loads(content(files, name))
    several = [[str(attribute) for attribute in row] for row in attributes.values()]
    return pa.table(
        {"item_id": pa.array(list(attributes), TEXT), "attributes": pa.array(several, pa.list_(TEXT))}
    )

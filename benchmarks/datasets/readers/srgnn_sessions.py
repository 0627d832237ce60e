"""SR-GNN's form in JSON: sessions to learn from, and test sessions cut off before each of their items.

`test_sessions.json` holds `{"seq": […], "label": […]}`: of the session a b c first a b and c, then a and b.
"""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from benchmarks.datasets.readers.item_lines import events
from benchmarks.datasets.readers.rows import Opened, Raw, content
from zoo.core.errors import UserError


def read(files: Opened) -> Raw:
    """The raw tables; a session is a user, a time a place in it, and whole test sessions are the test."""
    train = json.loads(content(files, "train_sessions.json"))
    test = json.loads(content(files, "test_sessions.json"))
    whole = train + sessions(test["seq"], test["label"])
    table = events({str(number): row for number, row in enumerate(whole, 1)}, 0)
    sizes = np.array([len(row) for row in whole])
    starts = np.cumsum(sizes) - sizes
    split = np.repeat(np.where(np.arange(len(whole)) < len(train), 0, 2), sizes)
    place = np.arange(len(table)) - np.repeat(starts, sizes)
    table = table.drop_columns("split").append_column("split", pa.array(split))
    return {"events": table.append_column("time", pa.array(place))}


def sessions(seq: list[list[int]], label: list[int]) -> list[list[int]]:
    """Each session once, from all that it was cut into.

    Raises:
        UserError: A cut is missing, or out of order.
    """
    whole = []
    for row, (items, last) in enumerate(zip(seq, label, strict=True)):
        if row == 0 or len(seq[row - 1]) == 1:
            whole.append([*items, last])
        elif [*items, last] != seq[row - 1]:
            raise UserError(f"test_sessions.json: row {row + 1} does not continue the session before it")
    return whole

"""MovieLens-1M as GroupLens publishes it: `ratings.dat`, `users.dat`, `movies.dat`.

The ratings may come as `ratings_partial_timestamps.parquet` instead: in it, some times of low ratings are -1.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.datasets.readers.films import films
from benchmarks.datasets.readers.rows import TEXT, WHOLE, Opened, Raw, content, table

PARTIAL = "ratings_partial_timestamps.parquet"
EVENT = {"user_id": TEXT, "item_id": TEXT, "rating": WHOLE, "time": WHOLE}
USER = dict.fromkeys(["user_id", "gender", "age", "occupation", "zip"], TEXT)
ITEM = dict.fromkeys(["item_id", "title", "genres"], TEXT)


def read(files: Opened) -> Raw:
    """The raw tables."""
    users, items = _table(files, "users.dat", USER), _table(files, "movies.dat", ITEM)
    prefix = pc.utf8_slice_codeunits(users["zip"], 0, 1)
    return {
        "events": _partial(files) if PARTIAL in files else _table(files, "ratings.dat", EVENT),
        "users": users.drop_columns("zip").append_column("zip_prefix", prefix),
        "items": films(items["item_id"], items["title"], items["genres"]),
    }


def _table(files: Opened, name: str, kinds: dict[str, pa.DataType]) -> pa.Table:
    return table(files, name, kinds, "::", list(kinds), encoding="latin-1", quote="")


def _partial(files: Opened) -> pa.Table:
    ratings = pq.read_table(pa.BufferReader(content(files, PARTIAL)))
    return ratings.rename_columns(list(EVENT)).cast(pa.schema(EVENT))

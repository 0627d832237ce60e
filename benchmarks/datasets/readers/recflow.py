"""RecFlow: a Feather file a day of what was shown, `realshow/2024-01-13.feather` to `2024-02-18.feather`."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather

from benchmarks.datasets.readers.rows import TEXT, WHOLE, Opened, Raw, content
from zoo.core.errors import UserError

USER = ["user_id", "age", "gender", "province"]
ITEM = [
    "video_id",
    "author_id",
    "category_level_one",
    "category_level_two",
    "upload_type",
    "upload_timestamp",
]
EVENT = ["request_id", "user_id", "video_id", "device_id", "request_timestamp", "rerank_index", "duration"]
EVENT += ["playing_time", "effective_view", "long_view", "like", "follow", "forward", "comment"]


def read(files: Opened) -> Raw:
    """The raw tables; users and videos are described by the first row that has them."""
    days = sorted(name for name in files if name.endswith(".feather"))
    if not days:
        raise UserError("no file realshow/<day>.feather")
    rows = pa.concat_tables([_day(files, name) for name in days])
    time = rows["request_timestamp"]
    events = rows.select([name for name in EVENT if name != "request_timestamp"])
    events = events.rename_columns({"video_id": "item_id", "rerank_index": "position"})
    events = events.append_column("time", pc.divide(time, 1000))
    for name in ("user_id", "item_id", "request_id", "device_id"):
        events = events.set_column(events.column_names.index(name), name, events[name].cast(TEXT))
    items = _first(rows, ITEM)
    return {
        "events": events,
        "users": _first(rows, USER),
        "items": items.rename_columns({"video_id": "item_id"}),
    }


def _day(files: Opened, name: str) -> pa.Table:
    wanted = list(dict.fromkeys(EVENT + USER + ITEM))
    rows = pyarrow.feather.read_table(pa.BufferReader(content(files, name)), columns=wanted)
    return rows.cast(pa.schema(dict.fromkeys(rows.column_names, WHOLE)))


def _first(rows: pa.Table, columns: list[str]) -> pa.Table:
    """The table of what the first column names; all but a time are names, though written as numbers."""
    found = rows.group_by(columns[0], use_threads=False).aggregate([(name, "first") for name in columns[1:]])
    kinds = {name: WHOLE if name == "upload_timestamp" else TEXT for name in columns}
    return found.rename_columns(columns).cast(pa.schema(kinds))

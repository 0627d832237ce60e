"""Last.fm of HetRec 2011 with ids numbered anew: `user_artist.dat`, `user_friend.dat`, `artist_tag.dat`."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.datasets.readers.rows import TEXT, WHOLE, Opened, Raw, table

EVENT = {"user_id": TEXT, "item_id": TEXT, "listens": WHOLE}


def read(files: Opened) -> Raw:
    """The raw tables; an artist's tags come with the one given by most users first."""
    pairs = {name: _pairs(files, f"{name}.dat") for name in ("user_friend", "artist_tag")}
    tags = pairs["artist_tag"].group_by(["key", "value"]).aggregate([([], "count_all")])
    tags = tags.sort_by([("count_all", "descending"), ("value", "ascending")])
    events = table(files, "user_artist.dat", EVENT, "\t", list(EVENT), quote="")
    return {
        "events": events,
        "users": _lists(events["user_id"], pairs["user_friend"].sort_by("value"), "user_id", "friends"),
        "items": _lists(events["item_id"], tags, "item_id", "tags"),
    }


def _pairs(files: Opened, name: str) -> pa.Table:
    return table(files, name, {"key": TEXT, "value": TEXT}, "\t", ["key", "value"], quote="")


def _lists(ids: pa.ChunkedArray, pairs: pa.Table, key: str, name: str) -> pa.Table:
    """The values of each id in the order of `pairs`; none for an id that has no pair."""
    lists = pairs.group_by("key", use_threads=False).aggregate([("value", "list")])
    known = ids.unique()
    rows = pc.index_in(known, value_set=lists["key"].combine_chunks())
    return pa.table({key: known, name: lists["value_list"].take(rows)})

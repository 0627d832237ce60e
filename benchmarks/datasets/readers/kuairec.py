"""KuaiRec 2.0: `big_matrix.csv` to learn from, `small_matrix.csv` where every user has seen every video."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.datasets.readers.rows import NUMBER, TEXT, WHOLE, Opened, Raw, table

EVENT = {"user_id": TEXT, "video_id": TEXT, "timestamp": NUMBER}
EVENT |= {"play_duration": WHOLE, "video_duration": WHOLE}
_FLAGS = ("is_lowactive_period", "is_live_streamer", "is_video_author")
_COUNTS = ("follow_user_num", "fans_user_num", "friend_user_num", "register_days")
USER = ["user_id", "user_active_degree", *_FLAGS, *(f"{name}_range" for name in _COUNTS)]
USER += [f"onehot_feat{number}" for number in range(18)]
DAILY = ["video_id", "author_id", "video_type", "upload_dt", "upload_type", "music_id"]


def read(files: Opened) -> Raw:
    """The raw tables."""
    events = [_events(files, "big_matrix.csv", 0), _events(files, "small_matrix.csv", 2)]
    users = table(files, "user_features.csv", dict.fromkeys(USER, TEXT))
    friends = table(files, "social_network.csv", {"user_id": TEXT, "friend_list": TEXT})
    tags = table(files, "item_categories.csv", {"video_id": TEXT, "feat": TEXT})
    daily = table(files, "item_daily_features.csv", dict.fromkeys(DAILY, TEXT))
    items = daily.group_by("video_id", use_threads=False).aggregate([(name, "first") for name in DAILY[1:]])
    items = items.rename_columns(["item_id", *DAILY[1:]])
    return {
        "events": pa.concat_tables(events),
        "users": _with(users, "friends", friends["user_id"], friends["friend_list"]),
        "items": _with(items, "tags", tags["video_id"], tags["feat"]),
    }


def _events(files: Opened, name: str, split: int) -> pa.Table:
    rows = table(files, name, EVENT)
    # Some of the small matrix have no time. They can only be targets, so they come last.
    known = pc.fill_null(rows["timestamp"], pc.max(rows["timestamp"]))
    second = pc.floor(known)
    more = {
        "time": second.cast(WHOLE),
        "order": pc.round(pc.multiply(pc.subtract(known, second), 1000)).cast(WHOLE),
        "split": pa.repeat(pa.scalar(split, WHOLE), rows.num_rows),
    }
    kept = rows.drop_columns("timestamp").rename_columns({"video_id": "item_id"})
    return pa.table({column: kept[column] for column in kept.column_names} | more)


def _with(rows: pa.Table, name: str, keys: pa.ChunkedArray, cells: pa.ChunkedArray) -> pa.Table:
    """The rows with lists such as `[27, 9]` from another table, found by its keys."""
    lists = pc.split_pattern(pc.utf8_trim(pc.if_else(pc.equal(cells, "[]"), None, cells), "[]"), ", ")
    place = pc.index_in(rows[rows.column_names[0]], value_set=keys.combine_chunks())
    return rows.append_column(name, lists.take(place))

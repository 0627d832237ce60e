"""MovieLens-100K as RecBole's atomic files: `ml-100k.inter`, `ml-100k.user`, `ml-100k.item`."""

from __future__ import annotations

from benchmarks.datasets.readers.movielens_100k import raw
from benchmarks.datasets.readers.rows import Opened, Raw, rows


def read(files: Opened) -> Raw:
    """The raw tables."""
    events = rows(files, "ml-100k.inter", "user_id item_id rating time", header=True)
    users = rows(files, "ml-100k.user", "user_id age gender occupation zip", header=True)
    items = rows(files, "ml-100k.item", "item_id title released genres", header=True)
    # RecBole cut each published title at its last bracket; put together again, both forms are read alike.
    titles = [f"{title} ({end})" for title, end in zip(items["title"], items["released"], strict=True)]
    return raw(events, users, items, titles, [text.split() for text in items["genres"]])

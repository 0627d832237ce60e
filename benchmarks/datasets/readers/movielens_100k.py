"""MovieLens-100K as GroupLens publishes it: `u.data`, `u.user`, `u.item`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import pyarrow as pa

from benchmarks.datasets.readers.films import split_title
from benchmarks.datasets.readers.rows import NUMBER, TEXT, WHOLE, Opened, Raw, Rows, rows

GENRES = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir "
    "Horror Musical Mystery Romance Sci-Fi Thriller War Western"
)
"""The order of the flags in `u.item`; "unknown" stands for no genre at all."""

_USER = {"user_id": TEXT, "age": WHOLE, "gender": TEXT, "occupation": TEXT, "zip_prefix": TEXT}
SCHEMAS = {
    "events": pa.schema({"user_id": TEXT, "item_id": TEXT, "time": WHOLE, "rating": NUMBER}),
    "users": pa.schema(_USER),
    "items": pa.schema({"item_id": TEXT, "title": TEXT, "year": WHOLE, "genres": pa.list_(TEXT)}),
}


def read(files: Opened) -> Raw:
    """The raw tables."""
    events = rows(files, "u.data", "user_id item_id rating time")
    users = rows(files, "u.user", "user_id age gender occupation zip", "|", encoding="latin-1")
    items = rows(files, "u.item", f"item_id title released video url {GENRES}", "|", encoding="latin-1")
    flags = zip(*(items.convert(genre, _flag, "0 or 1") for genre in GENRES.split()), strict=True)
    genres = [list(compress(GENRES.split(), row)) for row in flags]
    return raw(events, users, items, items["title"], genres)


def raw(
    events: Rows, users: Rows, items: Rows, titles: Sequence[str], genres: Sequence[Sequence[str]]
) -> Raw:
    """The tables from the rows of either form, which spell titles and genres in their own way."""
    named = [split_title(title) for title in titles]
    known = [sorted(set(row) - {"unknown"}) for row in genres]
    times, ratings = events.convert("time", int, "whole seconds"), events.convert("rating", float, "a number")
    ages, prefixes = users.convert("age", int, "a whole number"), [code[:1] for code in users["zip"]]
    columns = {
        "events": (events["user_id"], events["item_id"], times, ratings),
        "users": (users["user_id"], ages, users["gender"], users["occupation"], prefixes),
        "items": (items["item_id"], [name for name, _ in named], [year for _, year in named], known),
    }
    return {name: pa.table(list(columns[name]), schema=schema) for name, schema in SCHEMAS.items()}


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"

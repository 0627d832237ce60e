"""What the readers of MovieLens share: `Name (1995)` is a name and a year."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

NO_GENRES = "(no genres listed)"


def split_title(title: str) -> tuple[str, int | None]:
    """The name and the year of `Name (1995)`; no year where there is none."""
    found = re.match(r"(.*)\((\d{4})\)", title)
    return (found[1].strip(), int(found[2])) if found else (title.strip(), None)


def films(item_id: pa.ChunkedArray, titles: pa.ChunkedArray, genres: pa.ChunkedArray) -> pa.Table:
    """The table of items from titles such as `Name (1995)` and genres such as `Comedy|Drama`."""
    named = [split_title(title) for title in titles.to_pylist()]
    known = pc.if_else(pc.equal(genres, NO_GENRES), None, genres)
    return pa.table(
        {
            "item_id": item_id,
            "title": pa.array([name for name, _ in named], pa.string()),
            "year": pa.array([year for _, year in named], pa.int64()),
            "genres": pc.split_pattern(known, "|"),
        }
    )

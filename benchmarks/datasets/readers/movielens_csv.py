"""MovieLens as GroupLens publishes it since 2015: `ratings.csv` and `movies.csv`."""

from __future__ import annotations

from benchmarks.datasets.readers.films import films
from benchmarks.datasets.readers.rows import NUMBER, TEXT, WHOLE, Opened, Raw, table

EVENT = {"userId": TEXT, "movieId": TEXT, "rating": NUMBER, "timestamp": WHOLE}
ITEM = {"movieId": TEXT, "title": TEXT, "genres": TEXT}


def read(files: Opened) -> Raw:
    """The raw tables; tags are left out, because they were given after the ratings."""
    events, items = table(files, "ratings.csv", EVENT), table(files, "movies.csv", ITEM)
    return {
        "events": events.rename_columns(["user_id", "item_id", "rating", "time"]),
        "items": films(items["movieId"], items["title"], items["genres"]),
    }

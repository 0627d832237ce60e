"""Published files to a `Log`: one reader for each form in which a dataset is published."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TypeAlias, TypeVar

import pyarrow as pa

from zoo.core.errors import UserError
from zoo.data.log import Log

T = TypeVar("T")
Files: TypeAlias = Mapping[str, bytes]

VERSION = 1
"""Raise it when a reader changes what it makes, so that caches of the old form are left alone."""

GENRES = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir "
    "Horror Musical Mystery Romance Sci-Fi Thriller War Western"
)
"""The order of the flags in `u.item`; "unknown" stands for no genre at all."""


def movielens_100k(files: Files) -> Log:
    """MovieLens-100K as GroupLens publishes it: `u.data`, `u.user`, `u.item`."""
    events = _read(files, "u.data", "user_id item_id rating time")
    users = _read(files, "u.user", "user_id age gender occupation zip", "|", encoding="latin-1")
    items = _read(files, "u.item", f"item_id title released video url {GENRES}", "|", encoding="latin-1")
    flags = zip(*(items.convert(genre, _flag, "0 or 1") for genre in GENRES.split()), strict=True)
    genres = [list(compress(GENRES.split(), row)) for row in flags]
    return _movielens(events, users, items, items["title"], genres)


def recbole_ml_100k(files: Files) -> Log:
    """MovieLens-100K as RecBole's atomic files: `ml-100k.inter`, `ml-100k.user`, `ml-100k.item`."""
    events = _read(files, "ml-100k.inter", "user_id item_id rating time", header=True)
    users = _read(files, "ml-100k.user", "user_id age gender occupation zip", header=True)
    items = _read(files, "ml-100k.item", "item_id title released genres", header=True)
    # RecBole cut each published title at its last bracket; put together again, both forms are read alike.
    titles = [f"{title} ({end})" for title, end in zip(items["title"], items["released"], strict=True)]
    return _movielens(events, users, items, titles, [text.split() for text in items["genres"]])


READERS: dict[str, Callable[[Files], Log]] = {
    "movielens-100k": movielens_100k,
    "recbole-ml-100k": recbole_ml_100k,
}


def split_title(title: str) -> tuple[str, int]:
    """The name and the year of `Name (1995)`; year 0 where there is none."""
    found = re.match(r"(.*)\((\d{4})\)", title)
    return (found[1].strip(), int(found[2])) if found else (title.strip(), 0)


@dataclass(frozen=True)
class _Rows:
    """The columns of one file as text, and the number of its first row for messages."""

    file: str
    columns: dict[str, Sequence[str]]
    first: int

    def __getitem__(self, column: str) -> Sequence[str]:
        return self.columns[column]

    def convert(self, column: str, kind: Callable[[str], T], expected: str) -> list[T]:
        values = []
        for row, text in enumerate(self.columns[column], self.first):
            try:
                values.append(kind(text))
            except ValueError:
                where = f"{self.file}:{row}: {column}"
                raise UserError(f"{where} is {text!r}, expected {expected}") from None
        return values


def _read(
    files: Files, name: str, layout: str, separator: str = "\t", encoding: str = "utf-8", header: bool = False
) -> _Rows:
    columns = layout.split()
    # Not splitlines(), which also breaks at characters that a title may hold.
    lines = _decode(name, files[name], encoding).removesuffix("\n").split("\n")
    rows = [line.removesuffix("\r").split(separator) for line in lines]
    for number, row in enumerate(rows, 1):
        if len(row) != len(columns):
            raise UserError(f"{name}:{number}: {len(row)} columns, expected {len(columns)}")
    body = rows[1:] if header else rows
    values = zip(*body, strict=True) if body else [()] * len(columns)
    return _Rows(name, dict(zip(columns, values, strict=True)), first=2 if header else 1)


def _decode(name: str, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{name}:{row}: byte 0x{data[error.start]:02x} is not {encoding}") from None


def _movielens(
    events: _Rows, users: _Rows, items: _Rows, titles: Sequence[str], genres: Sequence[Sequence[str]]
) -> Log:
    named = [split_title(title) for title in titles]
    known = [sorted(set(row) - {"unknown"}) for row in genres]
    return Log.of(
        events=pa.table(
            {
                "user_id": events["user_id"],
                "item_id": events["item_id"],
                "time": events.convert("time", int, "whole seconds"),
                "rating": events.convert("rating", float, "a number"),
            }
        ),
        users=pa.table(
            {
                "user_id": users["user_id"],
                "age": users.convert("age", int, "a whole number"),
                "gender": users["gender"],
                "occupation": users["occupation"],
                "zip_prefix": [code[:1] for code in users["zip"]],
            }
        ),
        items=pa.table(
            {
                "item_id": items["item_id"],
                "year": [year for _, year in named],
                "genres": pa.array(known, pa.list_(pa.string())),
                "title": [name for name, _ in named],
            }
        ),
    )


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"

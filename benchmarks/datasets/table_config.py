"""What a dataset's YAML says of files that are tables; without Arrow, so that a config is read at once."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Literal

from zoo.core.config import demand
from zoo.core.errors import UserError

UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
"""The units of times, and how many of each are a second."""

PARTS = {"train": 0, "validation": 1, "test": 2}
"""The parts of a published split, as the column `split` of a log has them."""

_ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}


@dataclass(frozen=True)
class TableConfig:
    """How files read as one table.

    Attributes:
        files: Names or patterns; the rows of several files follow one another. None where `split` is.
        format: By the ending if empty; gzip'd or not is seen.
        separator: Between cells, of one or more characters; a comma, or a tab for tsv, if empty.
        header: Whether the first line names the columns.
        names: Of the columns where no line does.
        encoding: Of text files.
        quote: Around cells that hold separators; empty where quotes are plain text.
        columns: The file's names of columns by ours; one of the same name need not be said, and a key that is
            not there at all is said to be "".
        time: Unit or form of times: seconds, milliseconds, microseconds, nanoseconds, iso, or one such as
            `%d/%m/%Y %H:%M`.
        lists: What separates the values of a cell that holds several, by our name of the column; `json` for
            cells such as `["a", "b"]`.
        bad_rows: Share of the rows that may be unreadable; they are left out.
        empty: Cells that stand for no value. In numbers, times, `user_id` and `item_id` the usual words (NA,
            NaN, null and such) do so as well; in text and lists they are values like others.
        split: Of events that were published in parts: by train, validation or test the name or pattern of its
            files. The table has a column `split` then.
    """

    files: list[str] = field(default_factory=list)
    format: Literal["", "csv", "tsv", "parquet", "jsonl"] = ""
    separator: str = ""
    header: bool = True
    names: list[str] = field(default_factory=list)
    encoding: str = "utf-8"
    quote: str = '"'
    columns: dict[str, str] = field(default_factory=dict)
    time: str = "seconds"
    lists: dict[str, str] = field(default_factory=dict)
    bad_rows: float = 0.0
    empty: list[str] = field(default_factory=lambda: [""])
    split: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        separator_is_good = not set(self.separator) & set("\n\r" + self.quote)
        unknown = [name for name in self.split if name not in PARTS]
        demand(
            (bool(self.files or self.split), "files must name at least one"),
            (not (self.files and self.split), "files must not be there where split names them"),
            (not unknown, f"split must be by {', '.join(PARTS)}, found {', '.join(unknown)}"),
            (
                not (self.split and "split" in self.columns),
                "split must not be a column too: a row's part is told by its file",
            ),
            (separator_is_good, f"separator must hold no line end and no quote, found {self.separator!r}"),
            (self.header or bool(self.names), "names must say the columns where there is no header"),
            (not (self.header and self.names), "names are for files without a header: set header: false"),
            (len(set(self.names)) == len(self.names), "names must differ from one another"),
            (_is_encoding(self.encoding), f"encoding is not known, found {self.encoding!r}"),
            (len(self.quote.encode()) <= 1, f"quote must be one character or none, found {self.quote!r}"),
            (
                _is_time(self.time),
                f"time must be {', '.join(UNITS)}, iso or like %d/%m/%Y, found {self.time!r}",
            ),
            (all(self.lists.values()), "lists must say what separates the values"),
            (0 <= self.bad_rows < 1, f"bad_rows must be a share below 1, found {self.bad_rows}"),
        )

    @property
    def patterns(self) -> list[str]:
        """Names or patterns of all files."""
        return self.files or list(self.split.values())

    def theirs(self, column: str) -> str:
        """The file's name of our column."""
        return self.columns.get(column) or column

    def format_of(self, file: str) -> str:
        """The format of a file.

        Raises:
            UserError: Neither the ending nor the config tells it.
        """
        ending = PurePath(file.lower().removesuffix(".gz")).suffix
        known = self.format or _ENDINGS.get(ending) or ("csv" if self.separator else "")
        if not known:
            raise UserError(f"{file}: the ending tells no format: set format, or separator")
        return known


def _is_encoding(name: str) -> bool:
    try:
        return bool(codecs.lookup(name)._is_text_encoding)
    except (LookupError, ValueError):
        return False


def _is_time(form: str) -> bool:
    try:
        datetime.strptime(datetime(2001, 2, 3, 4, 5, 6).strftime(form), form)
    except (ValueError, re.error):
        return False
    return form in UNITS or form == "iso" or "%" in form

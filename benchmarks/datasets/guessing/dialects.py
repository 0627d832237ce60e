"""How an unknown text file is cut into cells: separator, quotes and header, each with the evidence."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.datasets.guessing.hints import role_of
from benchmarks.datasets.reading.delimited import SEPARATORS
from benchmarks.datasets.reading.records import Block, Dialect, cut_at

LINES = 200

_SAMPLE = 2**18


@dataclass(frozen=True)
class Option:
    """A line of a table's config: key, value and the evidence for it."""

    key: str
    value: Any
    why: str


@dataclass(frozen=True)
class Cut:
    """A way to cut lines into cells.

    Attributes:
        width: Cells of most lines.
        share: Of the lines that have so many.
    """

    separator: str
    quote: str
    width: int
    share: float

    @property
    def dialect(self) -> Dialect:
        """The same in bytes."""
        return Dialect(self.separator.encode(), self.quote.encode())


def cut_of(text: bytes) -> Cut:
    """The separator that gives most lines the same number of cells, and more than one; with its quote."""
    sample = text[: text.rfind(b"\n", 0, _SAMPLE) + 1] or text
    signs = (*SEPARATORS, "\x01")
    cuts = [_cut(sample, sign, quote) for sign in signs for quote in ('"', "")]
    even = [cut for cut in cuts if cut.width > 1 and cut.share >= 0.9]
    # A space and a colon are inside of cells as often as between them.
    firm = [cut for cut in even if cut.separator not in " :"] or even
    best = max(firm, key=lambda cut: (round(cut.share, 2), cut.width), default=cuts[0])
    return _cut(sample, best.separator, _quote(text, best.separator))


def records_of(text: bytes, dialect: Dialect, count: int) -> list[bytes]:
    """The first records of a text of whole lines."""
    return Block(text[: cut_at(text, dialect)[0]], 1, dialect).head(count)


def header_of(records: Sequence[bytes], dialect: Dialect) -> tuple[bool, str]:
    """Whether the first record names the columns, and why."""
    first, *rows = [[cell.decode().strip() for cell in dialect.cells(record) or []] for record in records]
    if known := next((cell for cell in first if role_of(cell)), ""):
        return True, f"the first line names {known}"
    if number := next((cell for cell in first if is_number(cell)), ""):
        return False, f"the first line holds the number {number}"
    if "" in first or len(set(first)) < len(first):
        return False, "the first line has empty or equal cells"
    for name, *cells in zip(first, *(row for row in rows if len(row) == len(first)), strict=True):
        if cells and all(is_number(cell) for cell in cells if cell):
            return True, f"{name} stands above numbers"
        if name in cells:
            return False, f"? {name!r} of the first line is there again below"
    return True, "? the first line looks like no other"


def is_number(cell: str) -> bool:
    """Whether a cell is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _cut(text: bytes, separator: str, quote: str) -> Cut:
    dialect = Dialect(separator.encode(), quote.encode())
    widths = Counter(len(dialect.cells(record) or []) for record in records_of(text, dialect, LINES))
    width, count = widths.most_common(1)[0] if widths else (1, 0)
    return Cut(separator, quote, width, count / max(widths.total(), 1))


def _quote(text: bytes, separator: str) -> str:
    """A quote, unless cells begin with one that is part of the text."""
    if b'"' not in text:
        return '"'
    cut, _ = cut_at(text, Dialect(separator.encode(), b'"'))
    records = [
        record for record in records_of(text, Dialect(separator.encode(), b'"'), 10**5) if b'"' in record
    ]
    good = sum(_is_strict(record.decode().replace(separator, "\x1f")) for record in records)
    return '"' if cut > len(text) / 2 and good > 0.9 * len(records) else ""


def _is_strict(record: str) -> bool:
    try:
        next(csv.reader([record], delimiter="\x1f", strict=True))
    except csv.Error:
        return False
    return True

"""Text files cut at the ends of their records, which are lines unless a quoted cell holds line ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.datasets.reading.streams import read_text
from zoo.core.errors import UserError

MAX_RECORD = 2**24
"""A longer record is a mistake in the quotes, or no table at all."""

_NEWLINE = ord("\n")


@dataclass(frozen=True)
class Dialect:
    """How a line is cut into cells; without a quote, quotes are plain text."""

    separator: bytes
    quote: bytes = b""

    def cells(self, line: bytes) -> list[bytes] | None:
        """The cells of a line, None where it ends inside of quotes."""
        found: list[bytes] = []
        at = 0
        while True:
            head = b""
            if self.quote and line.startswith(self.quote, at):
                quoted = self._quoted.match(line, at)
                if not quoted:
                    return None
                head, at = quoted[1].replace(self.quote * 2, self.quote), quoted.end()
            end = line.find(self.separator, at)
            found.append(head + (line[at:] if end < 0 else line[at:end]))
            if end < 0:
                return found
            at = end + len(self.separator)

    @cached_property
    def _quoted(self) -> re.Pattern[bytes]:
        # Possessive: two quotes in a row are one inside of the cell, never the end of it.
        quote = re.escape(self.quote)
        return re.compile(quote + b"((?:[^" + quote + b"]|" + quote * 2 + b")*+)" + quote)


@dataclass(frozen=True)
class Block:
    """Whole records of a file in UTF-8, each with its line end.

    Attributes:
        line: The number of the first line, from 1.
    """

    data: bytes
    line: int
    dialect: Dialect

    def lines(self) -> npt.NDArray[np.int64]:
        """The line on which each record begins; blank lines are no records."""
        newlines = np.flatnonzero(np.frombuffer(self.data, np.uint8) == _NEWLINE)
        return self.line + np.searchsorted(newlines, self._spans()[:, 0])

    def head(self, count: int | None = None) -> list[bytes]:
        """The first records, or all, without their line ends."""
        return [self.data[start:end] for start, end in self._spans()[:count].tolist()]

    def tail(self) -> Block:
        """All but the first record."""
        cut = int(self._spans()[0, 1]) + 1 if len(self._spans()) else len(self.data)
        return Block(self.data[cut:], self.line + self.data.count(b"\n", 0, cut), self.dialect)

    def _spans(self) -> npt.NDArray[np.int64]:
        ends = _record_ends(self.data, self.dialect)[0]
        starts = np.append(0, ends[:-1] + 1)[: len(ends)]
        return np.stack([starts, ends], 1)[starts < ends]


def read_records(name: str, opened: Path | bytes, encoding: str, dialect: Dialect) -> Iterator[Block]:
    """The records of a text file, many at a time.

    Raises:
        UserError: A quote does not close, a line does not end, or see `read_text`.
    """
    rest, line = b"", 1
    for data in read_text(name, opened, encoding):
        rest += data
        cut, opening = cut_at(rest, dialect)
        if rest[:cut].strip(b"\n"):
            yield Block(rest[:cut], line, dialect)
        if len(rest) - cut > MAX_RECORD:
            raise UserError(_endless(name, rest, line, opening))
        line += rest.count(b"\n", 0, cut)
        rest = rest[cut:]
    rest += b"\n"
    cut, opening = cut_at(rest, dialect)
    if cut < len(rest):
        raise UserError(_endless(name, rest, line, opening))
    if rest.strip(b"\n"):
        yield Block(rest, line, dialect)


def _endless(name: str, rest: bytes, line: int, opening: int | None) -> str:
    if opening is None:
        place = line + rest.count(b"\n", 0, rest.rfind(b"\n") + 1)
        return f"{name}:{place}: the line is longer than {MAX_RECORD:,} bytes, expected a table"
    place = line + rest.count(b"\n", 0, opening)
    return f"{name}:{place}: a quote opens here and never closes; where quotes are plain text set quote: ''"


def cut_at(data: bytes, dialect: Dialect) -> tuple[int, int | None]:
    """Where the last whole record ends, and where the line begins whose quote stays open, if one does."""
    if not dialect.quote or dialect.quote not in data:
        return data.rfind(b"\n") + 1, None
    ends, opening = _record_ends(data, dialect)
    return int(ends[-1]) + 1 if len(ends) else 0, opening


def _record_ends(data: bytes, dialect: Dialect) -> tuple[npt.NDArray[np.int64], int | None]:
    text = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(text == _NEWLINE)
    if not dialect.quote or dialect.quote not in data:
        return newlines, None
    starts = np.append(0, newlines + 1)
    quotes = np.diff(np.searchsorted(np.flatnonzero(text == ord(dialect.quote)), newlines), prepend=0)
    within = np.zeros(len(newlines), bool)
    opening = None
    # Only a line with an odd number of quotes can open a cell that goes on below, or close one.
    for row in np.flatnonzero(quotes % 2).tolist():
        line = data[starts[row] : newlines[row]]
        if opening is None:
            opening = row if dialect.cells(line) is None else None
        elif dialect.cells(dialect.quote + line) is not None:
            within[opening:row], opening = True, None
    if opening is None:
        return newlines[~within], None
    within[opening:] = True
    return newlines[~within], int(starts[opening])

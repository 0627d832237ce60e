"""Compressed rows that grow."""

from __future__ import annotations

from typing import Any

import numpy as np


class Rows:
    """Rows of numbers to which numbers are added, in amortised constant time.

    A full row moves to the end of the pool with twice the room, a full pool to one twice as large.

    Args:
        offsets: `(R + 1,)` int64 of the numbers there are.
        values: `(E,)`.

    Attributes:
        starts: `(R',)` where rows start in `pool`, R' ≥ R.
        sizes: `(R',)` how long they are.
        pool: The numbers.
    """

    def __init__(self, offsets: Any, values: Any) -> None:
        self.count = len(offsets) - 1
        self.starts, self.sizes = offsets[:-1].copy(), np.diff(offsets)
        self._room = self.sizes.copy()
        self.pool, self._end = values.copy(), len(values)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> Any:
        """The numbers of a row, not to be changed."""
        start = self.starts[row]
        return self.pool[start : start + self.sizes[row]]

    def new_row(self) -> int:
        """Adds an empty row: its number."""
        if self.count == len(self.starts):
            self.starts, self.sizes, self._room = (
                grown(x, self.count + 1) for x in (self.starts, self.sizes, self._room)
            )
        self.count += 1
        return self.count - 1

    def append(self, row: int, value: int) -> None:
        """Adds a number to a row."""
        size = self.sizes[row]
        if size == self._room[row]:
            self._move(row, max(4, 2 * size))
        self.pool[self.starts[row] + size] = value
        self.sizes[row] = size + 1

    def _move(self, row: int, room: int) -> None:
        self.pool = grown(self.pool, self._end + room)
        self.pool[self._end : self._end + self.sizes[row]] = self[row]
        self.starts[row], self._room[row] = self._end, room
        self._end += room


def grown(values: Any, size: int) -> Any:
    """An array of at least `size`, of at least twice the length if it has to be another one; zeros behind."""
    if size <= len(values):
        return values
    wider = np.zeros(max(size, 2 * len(values)), values.dtype)
    wider[: len(values)] = values
    return wider

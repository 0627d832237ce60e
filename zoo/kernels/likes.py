"""Who likes what, by user and by item, as compressed rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True)
def transposed(offsets: Any, columns: Any, count: int, order: Any) -> Any:
    """Compressed rows `offsets (R + 1,)`, `columns (E,)` the other way round, each pair once.

    Args:
        offsets: Row r has the columns `offsets[r]:offsets[r + 1]`, in any order, maybe some twice.
        columns: Numbers below `count`.
        count: Number of columns.
        order: `(R,)` the order in which rows are gone through, and by which they are numbered.

    Returns:
        `(count + 1,)` offsets, and `(E',)` rows, ascending in every column.
    """
    last = np.full(count, -1, np.int64)
    ends = np.zeros(count + 1, np.int64)
    for number in range(len(order)):
        row = order[number]
        for e in range(offsets[row], offsets[row + 1]):
            column = columns[e]
            if last[column] != number:
                last[column] = number
                ends[column + 1] += 1
    ends = np.cumsum(ends)
    rows = np.empty(ends[-1], np.uint32)
    last[:] = -1
    place = ends[:-1].copy()
    for number in range(len(order)):
        row = order[number]
        for e in range(offsets[row], offsets[row + 1]):
            column = columns[e]
            if last[column] != number:
                last[column] = number
                rows[place[column]] = number
                place[column] += 1
    return ends, rows


@njit(nogil=True)
def newest(offsets: Any, items: Any, count: int, most: int) -> Any:
    """The first `most` different items of every row, in their order.

    Args:
        offsets: `(U + 1,)` of `items`, by user.
        items: `(E,)` below `count`, newest first.
        count: Number of items.
        most: Kept of a user.

    Returns:
        `(U + 1,)` offsets, `(E',)` items and `(E',)` the place of each in its row.
    """
    last = np.full(count, -1, np.int64)
    ends, kept, places = (
        np.zeros(len(offsets), np.int64),
        np.empty_like(items),
        np.empty(len(items), np.int64),
    )
    end = 0
    for user in range(len(offsets) - 1):
        start = end
        for e in range(offsets[user], offsets[user + 1]):
            item = items[e]
            if last[item] != user and end - start < most:
                last[item] = user
                kept[end], places[end] = item, end - start
                end += 1
        ends[user + 1] = end
    return ends, kept[:end].copy(), places[:end].copy()

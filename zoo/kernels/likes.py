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
def places_of(user_offsets: Any, items: Any, item_offsets: Any) -> Any:
    """`(E,)` for every pair by item, where it lies by user; both are ascending in every row."""
    place = item_offsets[:-1].copy()
    found = np.empty(len(items), np.uint32)
    for e in range(len(items)):
        item = items[e]
        found[place[item]] = e
        place[item] += 1
    return found


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


def by_popularity(offsets: Any, users: Any, count: int) -> tuple[Any, Any, Any]:
    """Likes by item and by user, the items numbered from the most liked on.

    Numbers that come often are near each other then, so that most sums are in the nearest cache.

    Args:
        offsets: `(I + 1,)` of `users`, by item.
        users: `(E,)` below `count`.
        count: Number of users.

    Returns:
        By item `(I + 1,)` offsets, `(E,)` users and `(E,)` where each pair lies by user; by user
        `(count + 1,)` offsets and `(E,)` items; and `(I,)` uint32 the ids of the items.
    """
    ids = np.argsort(-np.diff(offsets), kind="stable")
    by_user = transposed(offsets, users, count, ids)
    by_item = transposed(by_user[0], by_user[1], len(ids), np.arange(count))
    places = places_of(by_user[0], by_user[1], by_item[0])
    return (*by_item, places), by_user, ids.astype(np.uint32)

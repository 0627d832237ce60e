"""The best few of many candidates: larger values first, equal ones by lower id, in whatever order they come.

A candidate is one integer, its value's bits above those of its id turned round, since positive floats are in
the order of their bits. The buffer of a list holds twice what is kept; when it is full the worse half goes.
Whoever counts candidates starts from np.int64(0): for a literal 0 numba compiles everything here once more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

LAST = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
SMALL = 12


@njit(nogil=True)
def pack(value: Any, id_: Any) -> Any:
    """A candidate of a positive value and an id below 2^32."""
    return (np.uint64(np.float32(value).view(np.uint32)) << HALF) | (LAST - np.uint64(id_))


@njit(nogil=True)
def id_of(candidate: Any) -> Any:
    """The id of a candidate."""
    return np.int64(LAST - (candidate & LAST))


@njit(nogil=True)
def value_of(candidate: Any) -> Any:
    """The value of a candidate."""
    return np.uint32(candidate >> HALF).view(np.float32)


@njit(nogil=True)
def split(buffer: Any, first: Any, last: Any) -> Any:
    """Moves the larger of the numbers `first:last` before a pivot, the others behind it: where it is then.

    Every number is moved, whether it has to be or not: no branch hangs on what cannot be foreseen.
    """
    middle = (first + last) // 2
    buffer[middle], buffer[last - 1] = buffer[last - 1], buffer[middle]
    pivot, store = buffer[last - 1], first
    for place in range(first, last - 1):
        number = buffer[place]
        buffer[place] = buffer[store]
        buffer[store] = number
        store += number > pivot
    buffer[last - 1] = buffer[store]
    buffer[store] = pivot
    return store


@njit(nogil=True)
def select(buffer: Any, size: Any, k: Any) -> None:
    """Moves the `k` largest of the first `size` numbers to the front, in no order (quickselect)."""
    first, last = np.int64(0), size
    while last - first > 1:
        pivot = split(buffer, first, last)
        if pivot < k:
            first = pivot + 1
        else:
            last = pivot


@njit(nogil=True)
def order(buffer: Any, size: Any) -> None:
    """Sorts the first `size` numbers, largest first (quicksort, small parts by insertion)."""
    stack = np.empty((64, 2), np.int64)
    stack[0, 0], stack[0, 1], depth = 0, size, 1
    while depth > 0:
        depth -= 1
        first, last = stack[depth]
        while last - first > SMALL:
            pivot = split(buffer, first, last)
            # The larger part waits, so that the stack stays as deep as the logarithm of the size.
            if pivot - first > last - pivot:
                stack[depth, 0], stack[depth, 1], first = first, pivot, pivot + 1
            else:
                stack[depth, 0], stack[depth, 1], last = pivot + 1, last, pivot
            depth += 1
        for place in range(first + 1, last):
            number = buffer[place]
            while place > first and buffer[place - 1] < number:
                buffer[place] = buffer[place - 1]
                place -= 1
            buffer[place] = number


@njit(nogil=True)
def trimmed(buffer: Any, size: Any, k: Any) -> Any:
    """Keeps the `k` best at the front of a buffer: the worst of these, 0 where there are no more than `k`."""
    if size <= k:
        return np.uint64(0)
    select(buffer, size, k)
    worst = buffer[0]
    for place in range(1, k):
        worst = min(worst, buffer[place])
    return worst


@njit(nogil=True)
def push(buffers: Any, sizes: Any, floor: Any, row: Any, candidate: Any) -> None:
    """Adds a candidate that is above the floor of its list.

    Args:
        buffers: `(R, 2k)` candidates.
        sizes: `(R,)` how many there are.
        floor: `(R,)` the candidate that the best k have been known to be at least as good as.
        row: Which list.
        candidate: What to add.
    """
    size = sizes[row]
    buffers[row, size] = candidate
    size += 1
    if size == buffers.shape[1]:
        size = size // 2
        floor[row] = trimmed(buffers[row], 2 * size, size)
    sizes[row] = size


@njit(nogil=True)
def settle(buffer: Any, size: Any, k: Any) -> Any:
    """Leaves the best `k` at the front, best first: how many there are."""
    trimmed(buffer, size, k)
    order(buffer, min(size, k))
    return min(size, k)


def unpacked(lists: Any) -> tuple[Any, Any, Any]:
    """Row, id and value, `(N,)` each, of the candidates of lists `(R, k)`, in which 0 is none."""
    row, column = lists.nonzero()
    candidates = lists[row, column]
    ids = (LAST - (candidates & LAST)).astype(np.uint32)
    return row.astype(np.uint32), ids, (candidates >> HALF).astype(np.uint32).view(np.float32)

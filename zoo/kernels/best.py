"""The best few of many candidates: larger values first, equal ones by lower id, in whatever order they come.

A candidate is one integer, its value's bits above those of its id turned round, since positive floats are in
the order of their bits. The buffer of a list holds twice what is kept; when it is full the worse half goes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

LAST = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


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
def select(buffer: Any, size: Any, k: Any) -> None:
    """Moves the `k` largest of the first `size` numbers to the front, in no order (Hoare's quickselect)."""
    low, high = 0, size - 1
    while low < high:
        pivot = buffer[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while buffer[left] > pivot:
                left += 1
            while buffer[right] < pivot:
                right -= 1
            if left <= right:
                buffer[left], buffer[right] = buffer[right], buffer[left]
                left += 1
                right -= 1
        if k - 1 <= right:
            high = right
        elif k - 1 >= left:
            low = left
        else:
            break


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
    """Leaves the best `k` at the front, best first (Shell's sort): how many there are."""
    trimmed(buffer, size, k)
    size = min(size, k)
    gap = 1
    while gap < size // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for place in range(gap, size):
            candidate = buffer[place]
            while place >= gap and buffer[place - gap] < candidate:
                buffer[place] = buffer[place - gap]
                place -= gap
            buffer[place] = candidate
        gap //= 3
    return size


def unpacked(lists: Any) -> tuple[Any, Any, Any]:
    """Row, id and value, `(N,)` each, of the candidates of lists `(R, k)`, in which 0 is none."""
    row, column = lists.nonzero()
    candidates = lists[row, column]
    ids = (LAST - (candidates & LAST)).astype(np.uint32)
    return row.astype(np.uint32), ids, (candidates >> HALF).astype(np.uint32).view(np.float32)

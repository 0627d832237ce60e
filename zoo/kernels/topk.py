"""The best columns of score rows that come block by block, so that no row is ever held whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_GROUPS = 128
"""Groups that a block's columns are dealt out to; a whole group is passed over if its best is too bad."""

Scores: TypeAlias = NDArray[np.float32]
Places: TypeAlias = NDArray[np.int64]


class RunningTopK:
    """The `k` best columns so far of every row; equal scores go by lower column.

    Args:
        rows: B.
        k: Columns to keep.
        exclude: `(B, S)` int64 columns that are never kept, padded with what is none.
        origin: What the first column is called in `exclude`.
    """

    def __init__(self, rows: int, k: int, exclude: Tensor, origin: int = 0) -> None:
        self._origin = origin
        self._values = np.full((rows, k), -np.inf, np.float32)
        self._places = np.full((rows, k), -1, np.int64)
        self._exclude = exclude.numpy()

    def add(self, scores: Tensor, first: int) -> None:
        """Takes in float32 `scores` `(B, C)` of the columns from `first` on; overwrites excluded ones."""
        block = scores.contiguous().numpy()
        threads = torch.get_num_threads()
        bounds = [len(block) * part // threads for part in range(threads + 1)]

        def part(start: int, stop: int) -> None:
            rows = slice(start, stop)
            called, out = first + self._origin, self._exclude[rows]
            _keep_best(first, called, block[rows], out, self._values[rows], self._places[rows])

        if threads == 1:
            part(0, len(block))
            return
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(part, bounds[:-1], bounds[1:]))

    @property
    def places(self) -> Tensor:
        """`(B, k)` int64 columns in no particular order, -1 where there were too few."""
        return torch.from_numpy(self._places)


_LINE, _ROWS = numba.float32[::1], numba.float32[:, ::1]
_INTS, _INT_ROWS = numba.int64[::1], numba.int64[:, ::1]


@numba.njit(numba.void(_LINE, _INTS, numba.float32, numba.int64), nogil=True)
def _offer(values: Any, places: Any, value: Any, place: Any) -> None:
    """Puts a column in place of a heap's root, which is the worst one kept, unless it is worse still."""
    if value < values[0] or (value == values[0] and place > places[0]):
        return
    at = 0
    while 2 * at + 1 < len(values):
        worse, other = 2 * at + 1, 2 * at + 2
        if other < len(values):
            tied = values[other] == values[worse] and places[other] > places[worse]
            worse = other if tied or values[other] < values[worse] else worse
        if values[worse] > value or (values[worse] == value and places[worse] < place):
            break
        values[at], places[at] = values[worse], places[worse]
        at = worse
    values[at], places[at] = value, place


@numba.njit(numba.float32(_LINE, numba.int64), nogil=True)
def _largest(values: Any, k: int) -> Any:
    """The `k`-th largest of `values`, which are reordered (Hoare, "Algorithm 65: Find", CACM 1961)."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot, left, right = values[(low + high) // 2], low, high
        while left <= right:
            while values[left] > pivot:
                left += 1
            while values[right] < pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left, right = left + 1, right - 1
        if k - 1 <= right:
            high = right
        elif k - 1 >= left:
            low = left
        else:
            break
    return values[k - 1]


@numba.njit(numba.void(_LINE, _LINE, _LINE), nogil=True)
def _group_maxima(line: Any, best: Any, copy: Any) -> None:
    """Group g is every `_GROUPS`-th column from g on, so the compiler takes the maxima side by side."""
    for group in range(_GROUPS):
        best[group] = -np.inf
    whole, start = len(line) // _GROUPS * _GROUPS, 0
    while start < whole:
        for group in range(_GROUPS):
            score = line[start + group]
            best[group] = score if score > best[group] else best[group]
        start += _GROUPS
    for group in range(len(line) - whole):
        score = line[whole + group]
        best[group] = score if score > best[group] else best[group]
    for group in range(_GROUPS):
        copy[group] = best[group]


@numba.njit(numba.void(numba.int64, numba.int64, _ROWS, numba.int64[:, :], _ROWS, _INT_ROWS), nogil=True)
def _keep_best(
    first: int, called: int, scores: Scores, exclude: Places, values: Scores, places: Places
) -> None:
    """Offers each row's heap the columns of a block that may be good enough.

    Args:
        first: The block's first column.
        called: What it is called in `exclude`.
        scores: `(B, C)`.
        exclude: `(B, S)`.
        values: `(B, k)`, the heaps' scores.
        places: `(B, k)`, their columns.
    """
    columns, k = scores.shape[1], values.shape[1]
    best, copy = np.empty(_GROUPS, np.float32), np.empty(_GROUPS, np.float32)
    for row in range(len(scores)):
        for at in range(exclude.shape[1]):
            column = exclude[row, at] - called
            if 0 <= column < columns:
                scores[row, column] = -np.inf
        _group_maxima(scores[row], best, copy)
        enough = values[row, 0]
        if enough == -np.inf and k <= _GROUPS:
            # The heap is not full yet, but k columns are at least as good as the k-th best group's best.
            enough = _largest(copy, k)
        for group in range(_GROUPS):
            if best[group] >= enough and best[group] > -np.inf:
                column = group
                while column < columns:
                    score = scores[row, column]
                    if score >= enough and score > -np.inf:
                        _offer(values[row], places[row], score, first + column)
                    column += _GROUPS

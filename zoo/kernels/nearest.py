"""The places of the best scores of long rows, where many rows each want few."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from zoo.kernels.threads import in_threads, ranges
from zoo.kernels.topk import _largest

GROUPS = 256
"""Groups that the columns are dealt out to; only those whose best is good enough are looked through."""

_LINE, _ROWS, _PLACES = numba.float32[::1], numba.float32[:, ::1], numba.int64[:, ::1]


def best_places(scores: Tensor, k: int) -> Tensor:
    """`(R, k)` int64 columns of the best scores of each row `(R, C)`, in no order, -1 where there are fewer.

    Scores of -inf are never taken; of equal ones those of the lowest columns are.
    """
    values = scores.float().contiguous().numpy()
    places = np.full((len(values), k), -1, np.int64)
    in_threads(lambda rows: _best(values[slice(*rows)], places[slice(*rows)]), ranges(len(values), 16))
    return torch.from_numpy(places)


@numba.njit(numba.void(_LINE, _LINE, _LINE), nogil=True)
def _maxima(line: Any, best: Any, copy: Any) -> None:
    """Group g is every `GROUPS`-th column from g on, so the compiler takes the maxima side by side."""
    for group in range(GROUPS):
        best[group] = -np.inf
    whole = len(line) // GROUPS * GROUPS
    start = 0
    while start < whole:
        for group in range(GROUPS):
            score = line[start + group]
            best[group] = score if score > best[group] else best[group]
        start += GROUPS
    for group in range(len(line) - whole):
        score = line[whole + group]
        best[group] = score if score > best[group] else best[group]
    for group in range(GROUPS):
        copy[group] = best[group]


@numba.njit(numba.void(_ROWS, _PLACES), nogil=True)
def _best(scores: Any, places: Any) -> None:
    """Fills `places` `(R, k)`.

    As many columns as there are good groups are at least as good as the worst of these groups' bests, so
    nothing below the best of the k-th group can be among the k best.
    """
    columns, k = scores.shape[1], places.shape[1]
    best, copy = np.empty(GROUPS, np.float32), np.empty(max(GROUPS, columns), np.float32)
    value, place = np.empty(columns, np.float32), np.empty(columns, np.int64)
    for row in range(len(scores)):
        line, found = scores[row], 0
        _maxima(line, best, copy)
        enough = _largest(copy[:GROUPS], k) if k <= GROUPS else np.float32(-np.inf)
        for group in range(GROUPS):
            if best[group] >= enough and best[group] > -np.inf:
                for column in range(group, columns, GROUPS):
                    if line[column] >= enough and line[column] > -np.inf:
                        value[found], place[found] = line[column], column
                        found += 1
        last = np.float32(-np.inf)
        if found > k:
            for at in range(found):
                copy[at] = value[at]
            last = _largest(copy[:found], k)
        taken, equal = 0, 0
        for at in range(found):
            if value[at] > last:
                places[row, taken] = place[at]
                taken += 1
            elif value[at] == last:
                # Written over what has been read, to choose among them below.
                place[equal], copy[equal] = place[at], -place[at]
                equal += 1
        room = k - taken
        lowest = -_largest(copy[:equal], room) if equal > room else np.float32(columns)
        for at in range(equal):
            if place[at] <= lowest:
                places[row, taken] = place[at]
                taken += 1

"""Items to paths, one after another: each choice counts in the loads that the next one sees."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Values = NDArray[np.float64]

TINY = 1e-12
"""Score of a path that was never found for an item, so that its logarithm is defined."""


@numba.njit(
    numba.int64(
        numba.int64[:, ::1],
        numba.int64[:, ::1],
        numba.float64[:, ::1],
        numba.int64[::1],
        numba.float64[::1],
        numba.float64,
        numba.int64,
    ),
    nogil=True,
)
def assign(
    paths: Ids, candidates: Ids, scores: Values, loads: Ids, weights: Values, penalty: float, sweeps: int
) -> int:
    """Moves items to better paths, in place: greedy coordinate descent on the cost of Deep Retrieval.

    The cost is `-Σ_items weight · log Σ_j score(item, path_j) + penalty · Σ_paths load⁴`. No move ever raises
    it, and the paths of an item stay different from each other.

    Args:
        paths: `(N, J)` of each item, changed in place.
        candidates: `(N, S)` paths that an item may take, -1 for none.
        scores: `(N, S)` of these.
        loads: `(P,)` items on each path, changed along.
        weights: `(N,)` of the items.
        penalty: α.
        sweeps: Times that all items are visited.

    Returns:
        How many moves were made.
    """
    moves = 0
    for _ in range(sweeps):
        for item in range(paths.shape[0]):
            for j in range(paths.shape[1]):
                others, own = TINY, 0.0
                for s in range(candidates.shape[1]):
                    for m in range(paths.shape[1]):
                        if candidates[item, s] == paths[item, m]:
                            if m == j:
                                own = scores[item, s]
                            else:
                                others += scores[item, s]
                best = old = paths[item, j]
                load = float(loads[old] - 1)
                least = penalty * ((load + 1) ** 4 - load**4) - weights[item] * math.log(others + own)
                for s in range(candidates.shape[1]):
                    path = candidates[item, s]
                    taken = path < 0
                    for m in range(paths.shape[1]):
                        taken = taken or path == paths[item, m]
                    if taken:
                        continue
                    load = float(loads[path])
                    cost = penalty * ((load + 1) ** 4 - load**4)
                    cost -= weights[item] * math.log(others + scores[item, s])
                    if cost < least:
                        least, best = cost, path
                if best != old:
                    loads[old] -= 1
                    loads[best] += 1
                    paths[item, j] = best
                    moves += 1
    return moves

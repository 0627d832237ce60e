"""Who likes popular items, a bit for every user: what two have in common is counted a word at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.core import types
from numba.extending import intrinsic

CHUNK = 256
"""Words of a row that are gone through at once, so that a block of rows stays in the nearest caches."""


@intrinsic
def popcount(context: Any, word: Any) -> Any:
    """How many bits of a 64-bit word are set, one instruction, of several words at once in a loop."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), generate


@njit(nogil=True)
def set_bits(bits: Any, offsets: Any, users: Any, rows: Any) -> None:
    """Sets in `bits` `(T, W)` those of the users of each of T items.

    Args:
        bits: Zeros.
        offsets: Of `users`, by item.
        users: `(E,)`.
        rows: `(T,)` the items.
    """
    for n in range(len(rows)):
        for e in range(offsets[rows[n]], offsets[rows[n] + 1]):
            bits[n, users[e] >> 6] |= np.uint64(1) << np.uint64(users[e] & 63)


@njit(nogil=True)
def common(bits: Any, first: Any, step: Any, counts: Any) -> None:
    """Writes how many users every `step`-th row has in common with each earlier one.

    Args:
        bits: `(T, W)`.
        first: Of these rows.
        step: From one to the next.
        counts: `(N, T)` by number of the row, `first + n · step`, and other row.
    """
    rows, words = bits.shape
    for n in range(len(counts)):
        counts[n] = 0
    for start in range(0, words, CHUNK):
        stop = min(start + CHUNK, words)
        for other in range(rows):
            theirs = bits[other, start:stop]
            for n in range(max(0, (other - first) // step + 1), len(counts)):
                own, total = bits[first + n * step, start:stop], np.uint64(0)
                for word in range(len(own)):
                    total += popcount(own[word] & theirs[word])  # type: ignore[call-arg]
                counts[n, other] += total

"""Generated likes of the shape of ML-20M, for what is too large to be downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

ROWS, USERS, ITEMS = 20_000_000, 138_493, 26_744
RANKS = (1, 10, 100, 500, 1_000, 3_000, 10_000, 13_372, 20_000, 26_744)
DRAWS = (237_000, 156_000, 75_000, 22_000, 9_700, 1_540, 61, 18, 3.5, 1)
"""How often items of these ranks are drawn, relative to the last; drawn twice by a user they count once."""


def ml20m_shape(rows: int, seed: int = 0) -> tuple[Any, Any]:
    """About `rows` different pairs `(E,)` of user and item from 0 on, sorted by user, then at random.

    As in ML-20M, users have a log-normal number of likes (median 68, at least 20, at most 9,254), and items
    are as popular as there at a few ranks, in between by a power law: at full size the first is liked by
    about 57,000 users, half have 15 or less. With fewer rows all users have fewer.
    """
    draw = np.random.default_rng(seed)
    activity = np.clip(draw.lognormal(np.log(68), 1.23, USERS), 20, 9254)
    wanted = np.maximum(1, activity * rows / activity.sum()).astype(np.int64)
    popularity = np.exp(np.interp(np.log(np.arange(1, ITEMS + 1)), np.log(RANKS), np.log(DRAWS)))
    edges = np.cumsum(popularity / popularity.sum())
    pairs, missing = np.empty(0, np.int64), wanted
    for _ in range(8):  # Who drew an item twice draws again.
        user = np.repeat(np.arange(USERS), missing)
        drawn = user * ITEMS + np.searchsorted(edges[:-1], draw.random(len(user)))
        pairs = np.concatenate([pairs, drawn])
        pairs.sort()
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        missing = wanted - np.bincount(pairs // ITEMS, minlength=USERS)
    user, rank = pairs // ITEMS, pairs % ITEMS
    order = np.lexsort((draw.random(len(user), np.float32), user))
    return user, draw.permutation(ITEMS)[rank[order]]


def save(folder: Path, rows: int) -> Path:
    """Writes `user.npy` and `item.npy`, int32, which need no pickle to be read."""
    for name, values in zip(("user", "item"), ml20m_shape(rows), strict=True):
        np.save(folder / f"{name}.npy", values.astype(np.int32), allow_pickle=False)
    return folder

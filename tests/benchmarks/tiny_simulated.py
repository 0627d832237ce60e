"""A simulated world small enough for a test, and how to read it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.datasets.simulated import Simulated, SimulationConfig, simulate
from benchmarks.datasets.simulated.topics import Array

TINY = SimulationConfig(users=500, items=800, exposures=40_000, days=8, repeat_days=2)
TASKS = ("finish", "like", "collect", "share", "follow", "comment")


@cache
def tiny_world() -> Simulated:
    """Made once for all tests of a process, which do not change it."""
    return simulate(TINY)


def column(table: pa.Table, name: str) -> Array:
    return np.asarray(table[name].to_numpy())


def rows(world: Simulated) -> tuple[Array, Array]:
    """Users and items of the events as row numbers, read from their ids."""
    ids = (world.events["user_id"], world.events["item_id"])
    user, item = (np.asarray(pc.cast(pc.utf8_slice_codeunits(found, 1), pa.int64())) for found in ids)
    return user, item

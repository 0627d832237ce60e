"""`simulate`: from a config to tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from benchmarks.datasets.simulated.config import SimulationConfig
from benchmarks.datasets.simulated.life import Life
from benchmarks.datasets.simulated.oracle import MARK, Oracle, oracle_of
from benchmarks.datasets.simulated.recorder import Recorder
from benchmarks.datasets.simulated.tables import item_ids, items_table, user_ids, users_table
from benchmarks.datasets.simulated.world import build


@dataclass(frozen=True)
class Simulated:
    """A world's log, and what is true of it.

    Attributes:
        events: One row an exposure, by time, user and position.
        users: One row a user.
        items: One row an item, by the time of publishing.
        oracle: Row by row beside `events`: `p_seen`, `p_click` given that the item is looked at where it is
            on its page, `p_<task>` and the expected `play_seconds` given a click. No model may read it.
        world: The truth of any pair. No model may read it either.
    """

    events: pa.Table
    users: pa.Table
    items: pa.Table
    oracle: pa.Table
    world: Oracle


def simulate(config: SimulationConfig) -> Simulated:
    """The world of `config`, the same every time.

    The log has `config.exposures` rows, or some less where users have nearly all items behind them and pages
    get short.
    """
    world = build(config)
    # Before anything happens: follows of the period are outcomes, not profiles.
    users = users_table(world.truth.users, world.places, world.truth.follows)
    words = np.random.default_rng([config.seed, 1])
    items = items_table(world.truth.items, len(world.authors.weight), world.places, words)
    recorder = Recorder(Life(world).pages(), world.sessions)
    events, oracle = recorder.tables(user_ids(config.users), item_ids(config.items))
    oracle = oracle.replace_schema_metadata({"about": MARK})
    return Simulated(events, users, items, oracle, oracle_of(world.truth, recorder.moments()))

"""A log made ready for a split: ties in its order, and each user's parts one after another."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from benchmarks.protocols import ProtocolConfig
from benchmarks.split_configs import FixedSplit, LeaveOneOut, RandomSplit, TimeSplit, WindowSplit
from zoo.core.errors import UserError
from zoo.data.log import Log, tie_hash

TRAIN, VALIDATION, TEST, NEITHER = 0, 1, 2, 3
Parts: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"


def ready(log: Log, protocol: ProtocolConfig, clock: str) -> Log:
    """The log in the order that a protocol wants: ties by its seed, parts of a user one after another.

    Raises:
        UserError: The data does not have what the split needs.
    """
    split = protocol.split
    if isinstance(split, TimeSplit | WindowSplit) and clock != "seconds":
        raise UserError(f"protocol {protocol.name}: a {split.kind} split needs times, the dataset has none")
    if isinstance(split, LeaveOneOut) and clock == "none":
        raise UserError(f"protocol {protocol.name}: leave one out needs an order of events, there is none")
    if not isinstance(split, FixedSplit | RandomSplit):
        names = [name for name in log.events.column_names if name != "split"]
        return Log(log.events.select(names), log.users, log.items).with_ties(protocol.tie_seed, again=True)
    parts = _parts(log, protocol)
    if protocol.shown and protocol.window == "test":
        # One part for training, so that the events of a user lie in the order of time in it.
        parts[parts == VALIDATION] = TRAIN
    place = log.events.column_names.index("split") if "split" in log.events.column_names else None
    events = log.events if place is None else log.events.remove_column(place)
    events = events.append_column("split", pa.array(parts))
    return Log(events, log.users, log.items).with_ties(protocol.tie_seed, again=True)


def _parts(log: Log, protocol: ProtocolConfig) -> Parts:
    """`(E,)` 0 for training, 1 for validation, 2 for the test, by what is published or by a seeded hash."""
    user, item = (log.events[name].to_numpy() for name in ("user", "item"))
    row = np.arange(len(user))
    split = protocol.split
    draw = tie_hash(row, user + item, protocol.tie_seed) / 2.0**64
    if isinstance(split, RandomSplit):
        edges = [split.train, split.train + split.validation]
        return np.searchsorted(edges, draw, side="right").astype(np.int64)
    assert isinstance(split, FixedSplit)
    if "split" not in log.events.column_names:
        raise UserError(f"protocol {protocol.name}: the dataset has no published split, no column 'split'")
    parts: Parts = log.events["split"].to_numpy().copy()
    if not (parts == VALIDATION).any() and protocol.window == "validation":
        # Chosen on a part of what is for training: the published test is not for choosing.
        if split.requests == "event":
            draw = tie_hash(user, user, protocol.tie_seed) / 2.0**64
        parts[(parts == TRAIN) & (draw < split.validation)] = VALIDATION
        parts[log.events["split"].to_numpy() == TEST] = NEITHER
    elif split.train_only and protocol.window == "test":
        parts[parts == VALIDATION] = NEITHER
    return parts

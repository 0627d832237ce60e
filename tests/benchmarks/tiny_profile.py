"""A log without a fault, for tests that put one in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.datasets import DatasetConfig
from benchmarks.datasets.profiling.advice import warnings_of
from benchmarks.datasets.profiling.profile import Profile, profile
from benchmarks.datasets.reading.report import Report
from zoo.data.log import Log
from zoo.data.roles import BehaviourConfig, FeatureConfig, SchemaConfig

CATEGORY, NUMBER = FeatureConfig("categorical"), FeatureConfig("numeric", bins=4)
BEHAVIOURS = {
    "exposure": BehaviourConfig(kind="exposure"),
    "click": BehaviourConfig("click == 1"),
    "like": BehaviourConfig("like == 1", given="click"),
}
EVENTS, USERS, ITEMS, START = 2000, 20, 40, 1_500_000_000


def clean(
    schema: dict[str, Any] | None = None,
    events: dict[str, Any] | None = None,
    users: dict[str, Any] | None = None,
    items: dict[str, Any] | None = None,
    **config: Any,
) -> tuple[Log, DatasetConfig]:
    """A log without a fault, and then the columns that a test puts in."""
    draw = np.random.default_rng(0)
    click = draw.random(EVENTS) < 0.4
    columns: dict[str, Any] = {
        "user_id": [f"u{n}" for n in draw.integers(USERS, size=EVENTS)],
        "item_id": [f"i{n}" for n in draw.integers(ITEMS, size=EVENTS)],
        "time": START + 60 * np.arange(EVENTS),
        "click": click.astype(int),
        "like": (click & (draw.random(EVENTS) < 0.3)).astype(int),
        "device": draw.choice(["phone", "tablet"], EVENTS),
    }
    people = {"user_id": [f"u{n}" for n in range(USERS)], "age": draw.integers(18, 70, USERS)}
    things = {
        "item_id": [f"i{n}" for n in range(ITEMS)],
        "price": draw.random(ITEMS),
        "published": START - draw.integers(1, 10**6, ITEMS),
    }
    roles = SchemaConfig(
        **{
            "user": {"age": NUMBER},
            "item": {"price": NUMBER, "published": NUMBER},
            "context": {"device": CATEGORY},
            "behaviours": BEHAVIOURS,
            **(schema or {}),
        }
    )
    tables = (columns | (events or {}), people | (users or {}), things | (items or {}))
    return Log.of(*map(pa.table, tables)), DatasetConfig(roles, name="clean", **config)


def profiled(*args: Any, report: Report | None = None, **options: Any) -> Profile:
    log, config = clean(*args, **options)
    return profile(log, config, report or Report())


def the_warning(found: Profile) -> str:
    (warning,) = warnings_of(found)
    return warning

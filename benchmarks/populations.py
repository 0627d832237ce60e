"""Who is measured in each window of a protocol, and whether what is chosen on one can hold for the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.datasets import DatasetConfig
from benchmarks.protocols import ProtocolConfig
from benchmarks.shown import population as shown_population
from benchmarks.world import World
from zoo.data.log import Log

if TYPE_CHECKING:
    from rich.table import Table

Population = dict[str, float]

RATIOS = {"span_days": 3.0, "target_span_days": 3.0, "targets_per_request": 2.0, "gap_days": 3.0}
"""How many times larger a number of one window may be before choosing on the other is doubtful."""
NEW = 0.2
"""Likewise the difference of the shares of new users."""
COLUMNS = (
    "requests",
    "rows",
    "targets_per_request",
    "span_days",
    "gap_days",
    "training_events",
    "training_rows",
)
"""What a table shows."""


def populations(config: DatasetConfig, protocol: ProtocolConfig, log: Log) -> dict[str, Population]:
    """By label, who is measured in every window, those for selection first."""
    found = {}
    for window in ("validation", "test"):
        for one in replace(protocol, window=window, fold=None).each:
            world = World(config, one, log)
            found[one.label] = shown_population(world) if one.shown else world.population()
    return found


def differences(found: dict[str, Population]) -> list[str]:
    """Where windows for selection and for the test are so unlike that a choice may not carry over."""
    sides = []
    for window in ("/validation", "/test"):
        side = [population for label, population in found.items() if window in label]
        sides.append({key: sum(p.get(key, 0.0) for p in side) / len(side) for key in side[0]} if side else {})
    one, other = sides
    told = []
    for key, most in RATIOS.items():
        small, large = sorted((one.get(key, 0.0), other.get(key, 0.0)))
        if large > most * max(small, 1e-9) and large > 0:
            told.append(
                f"{key} is {one.get(key, 0.0):g} in validation and {other.get(key, 0.0):g} in the test"
            )
    new = [_new(side) for side in sides]
    if abs(new[0] - new[1]) > NEW:
        told.append(f"{new[0]:.0%} of users are new in validation and {new[1]:.0%} in the test")
    return told


def table(found: dict[str, Population]) -> Table:
    """The populations, one row for each window."""
    from rich.table import Table

    keys = [key for key in COLUMNS if any(key in population for population in found.values())]
    shown = Table("window", "new users", *(key.replace("_", " ") for key in keys), title_justify="left")
    for label, population in found.items():
        cells = [f"{population[key]:g}" if key in population else "" for key in keys]
        shown.add_row(label.split("/")[1], f"{_new(population):.0%}", *cells)
    return shown


def positives(found: dict[str, Population]) -> list[str]:
    """One line for each window of rows that were shown: how many are positive, by task."""
    start = "positives/"
    counts = {
        label.split("/")[1]: [f"{key.removeprefix(start)} {n:g}" for key, n in one.items() if start in key]
        for label, one in found.items()
    }
    return [f"{window}: positive are {', '.join(each)}" for window, each in counts.items() if each]


def _new(population: Population) -> float:
    """The share of the measured users who did nothing before; each has one request where none are counted."""
    users = population.get("users", population.get("requests", 0.0))
    return population.get("new_users", 0.0) / max(users, 1.0)

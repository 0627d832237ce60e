"""What a log holds: its size, the coverage of its features, its labels, and what looks wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from benchmarks.datasets.config import DatasetConfig
from benchmarks.datasets.profiling.coverage import Coverage, coverage, statistics_of
from benchmarks.datasets.profiling.leaks import leaks
from benchmarks.datasets.reading.report import SAMPLES, Report
from zoo.data.log import NOBODY, Log, Vector
from zoo.data.marks import flags_of, values_of
from zoo.data.roles import SchemaConfig
from zoo.data.snapshot import DAY

PUBLISHED = re.compile(r"(^|_)(published|publish|created|create|released?|uploaded?|listed)(_|$)")
"""What a column of the items is called that says since when they exist."""
SECONDS = (4e8, 4e9)
"""The range of times from 1982 to 2096, which neither years nor milliseconds fall into."""


@dataclass(frozen=True)
class Spread:
    """The least, the median and the most of a count."""

    least: int
    median: float
    most: int

    @classmethod
    def of(cls, counts: Vector) -> Spread:
        """Of the counts above 0."""
        counts = counts[counts > 0]
        return cls(int(counts.min()), float(np.median(counts)), int(counts.max()))


@dataclass(frozen=True)
class Label:
    """A behaviour among the events at which it is defined.

    Attributes:
        name: Of the behaviour.
        kind: Of the behaviour.
        given: The behaviour that an event must be, empty for the base itself.
        events: How many events are that, and have a value if it is explicit.
        rate: Share of them that are positive; the mean value of an explicit behaviour.
        constant: Whether all of them are alike.
        outside: Positive events that are not `given`.
    """

    name: str
    kind: str
    given: str
    events: int
    rate: float
    constant: bool
    outside: int


@dataclass(frozen=True)
class Profile:
    """What `data check` shows.

    Attributes:
        events: Rows of the events.
        users: Rows of the users; 0 where the log names none.
        items: Likewise.
        span_days: From the first event to the last; None where times are not seconds.
        per_user: Events of the users that have any; None where the log names none.
        per_item: Likewise.
        coverage: Of every feature but those of the clock.
        labels: All behaviours.
        duplicates: Events after another of the same user, item and time.
        ties: Share of the events that share user and time with another.
        choice: The behaviour whose events a history is of, the first that is positive.
        choice_ties: Likewise, among the events of `choice`: a request shows several items at one time.
        early: By column of the items that looks like a time, the share of events before it.
        passed_over: Share of the exposures that were nothing else; None where there are no exposures.
        leaks: What a feature tells that it should not know.
        rows: Rows that were read from the files that the config describes, maybe long ago.
        bad: Of these, rows left out.
        samples: The first bad rows.
        same_time: Whether all events have one time, though times should tell something.
        statistics: By statistic, the share of events at which it had something to count.
        differences: Where the statistics of the YAML are not what was found.
    """

    events: int
    users: int
    items: int
    span_days: float | None
    per_user: Spread | None
    per_item: Spread | None
    coverage: tuple[Coverage, ...]
    labels: tuple[Label, ...]
    duplicates: int
    ties: float
    choice: str
    choice_ties: float
    early: dict[str, float]
    passed_over: float | None
    leaks: tuple[str, ...]
    rows: int
    bad: int
    samples: tuple[str, ...]
    same_time: bool
    statistics: dict[str, float]
    differences: tuple[str, ...]


def profile(log: Log, config: DatasetConfig, report: Report) -> Profile:
    """Counts all that `data check` shows.

    Args:
        log: The prepared tables.
        config: What they should be.
        report: What was read to make them.

    Raises:
        UserError: The schema names a column that is not there.
    """
    named = [log.users["user_id"].to_pylist() != [NOBODY], log.items["item_id"].to_pylist() != [NOBODY]]
    sizes = [table.num_rows * has for table, has in zip((log.users, log.items), named, strict=True)]
    counts = [np.bincount(_numpy(log.events[key])) for key in ("user", "item")]
    spreads = [Spread.of(count) if has else None for count, has in zip(counts, named, strict=True)]
    flags = {name: flag.numpy() for name, flag in flags_of(log.events, config.schema).items()}
    time, timed = _numpy(log.events["time"]), config.clock == "seconds"
    choice, ordered = config.schema.choice, named[0] and config.clock != "none"
    ties, duplicates = _repeats(log.events) if ordered else (0.0, 0)
    chosen = _repeats(log.events.filter(pa.array(flags[choice])))[0] if ordered else 0.0
    found = {"events": log.events.num_rows, "users": sizes[0], "items": sizes[1]}
    return Profile(
        **found,
        span_days=float(time.max() - time.min()) / DAY if timed else None,
        per_user=spreads[0],
        per_item=spreads[1],
        coverage=tuple(coverage(log, config.schema)),
        labels=tuple(_labels(log, config.schema, flags)),
        duplicates=duplicates,
        ties=ties,
        choice=choice,
        choice_ties=chosen,
        early=dict(_early(log)) if timed else {},
        passed_over=_passed_over(config.schema, flags),
        leaks=tuple(leaks(log, config, flags)),
        rows=sum(file.rows for file in report.files.values()),
        bad=report.bad,
        samples=tuple(sample for file in report.files.values() for sample in file.samples)[:SAMPLES],
        same_time=config.clock != "none" and len(time) > 1 and bool((time == time[0]).all()),
        statistics=statistics_of(log, config.schema),
        differences=tuple(_differences(config.statistics, found)),
    )


def _labels(log: Log, schema: SchemaConfig, flags: dict[str, Vector]) -> Iterator[Label]:
    numbers = values_of(log.events, schema)
    for name, behaviour in schema.behaviours.items():
        given = "" if name == schema.base else behaviour.given or schema.base
        defined = flags[given] if given else np.ones(log.events.num_rows, dtype=bool)
        values = flags[name].astype(float)
        if behaviour.value:
            values = numbers[name].double().numpy()
        seen = values[defined & ~np.isnan(values)]
        rate = float(seen.mean()) if len(seen) else 0.0
        constant = name != schema.base and bool((seen == seen[:1]).all())
        outside = 0 if behaviour.value else int((flags[name] & ~defined).sum())
        yield Label(name, behaviour.kind, given, len(seen), rate, constant, outside)


def _repeats(events: pa.Table) -> tuple[float, int]:
    """The share of events that share user and time with another, and the events that repeat another."""
    user, time, item = (_numpy(events[key]) for key in ("user", "time", "item"))
    if {"order", "split"} & set(events.column_names):  # Else a log is sorted so that repeats are neighbours.
        order = np.lexsort((item, time, user))
        user, time, item = user[order], time[order], item[order]
    tied = (user[1:] == user[:-1]) & (time[1:] == time[:-1])
    repeats = int((tied & (item[1:] == item[:-1])).sum())
    if "order" in events.column_names or not len(tied):
        return 0.0, repeats  # The log says itself how events of one time follow each other.
    return float((np.append(tied, False) | np.append(False, tied)).mean()), repeats


def _early(log: Log) -> Iterator[tuple[str, float]]:
    item, time = _numpy(log.events["item"]), _numpy(log.events["time"])
    for name in log.items.column_names:
        kind = log.items.schema.field(name).type
        if not PUBLISHED.search(name.lower()) or not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind)
        ):
            continue
        since = _numpy(log.items[name].cast(pa.float64()))
        known = since[~np.isnan(since)]
        if len(known) and SECONDS[0] < np.median(known) < SECONDS[1]:
            yield name, float((time < since[item]).mean())


def _passed_over(schema: SchemaConfig, flags: dict[str, Vector]) -> float | None:
    """The share of the exposures after which nobody did anything that is positive."""
    kinds = {name: behaviour.kind for name, behaviour in schema.behaviours.items()}
    shown, chosen = (
        [flags[name] for name, kind in kinds.items() if kind == wanted] for wanted in ("exposure", "positive")
    )
    if not shown:
        return None
    of = np.logical_or.reduce(shown)
    wanted = np.logical_or.reduce(chosen) if chosen else np.zeros(len(of), dtype=bool)
    return float((~wanted[of]).mean()) if of.any() else None


def _differences(stated: dict[str, int], found: dict[str, int]) -> Iterator[str]:
    for name, number in stated.items():
        if name not in found:
            yield f"statistics.{name}: expected one of {', '.join(found)}"
        elif number != found[name]:
            yield f"statistics.{name}: {number:,} stated, {found[name]:,} found"


def _numpy(column: pa.ChunkedArray) -> Vector:
    return np.asarray(column.to_numpy())

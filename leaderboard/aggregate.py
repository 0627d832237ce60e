"""From runs to rows (one entry over its seeds), from rows to boards, and the differences on a board."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import fmean
from typing import Any, TypeVar

from benchmarks.intervals import Interval, Seeds, combine_seeds, over_windows, paired_difference
from benchmarks.record import STAGES, Record
from leaderboard.load import Run
from leaderboard.metrics import columns, merit

T = TypeVar("T")

COUNTS = {"requests", "requests_with_target", "new_users", "new_users_with_target", "targets"}
"""What of a population is summed over windows."""

BASELINES = {"recall": "recall/popular", "prerank": "rank/lr", "rank": "rank/lr"}
"""The entry that those of a stage must beat; a funnel must beat each recall entry alone."""


@dataclass(frozen=True, eq=False)
class Row:
    """One entry: its runs, one for each seed, and how many older runs were left out."""

    runs: tuple[Run, ...]
    older: int

    @cached_property
    def newest(self) -> Record:
        """The latest record, which speaks for the row."""
        return max((run.record for run in self.runs), key=_age)

    @cached_property
    def metrics(self) -> dict[str, Interval]:
        """Every metric that all seeds have, over seeds and users."""
        shared = [m for m in self.newest.metrics if all(m in run.record.metrics for run in self.runs)]
        return {
            metric: over_windows(combine_seeds(self.seeds(metric)), self.by_window(metric))
            for metric in shared
        }

    @cached_property
    def windows(self) -> dict[str, list[Run]]:
        """The runs of each measured window; one window but for back-testing."""
        found: dict[str, list[Run]] = defaultdict(list)
        for run in self.runs:
            found[run.record.protocol].append(run)
        return found

    @property
    def protocol(self) -> str:
        """The protocol, with the number of its windows where there are several."""
        several = f", mean of {len(self.windows)} windows" if len(self.windows) > 1 else ""
        return protocol_of(self.newest) + several

    @property
    def seed_numbers(self) -> list[int]:
        """The seeds, each once."""
        return sorted({run.record.seed for run in self.runs})

    @property
    def population(self) -> dict[str, float]:
        """Who was measured, counts summed over windows and all else averaged."""
        found = [runs[0].record.population for runs in self.windows.values()]
        sums = {key: sum(one.get(key, 0.0) for one in found) for key in found[0]}
        return {key: value / (1 if key in COUNTS else len(found)) for key, value in sums.items()}

    def seeds(self, metric: str) -> Seeds:
        """Mean and replicates of `metric` for each seed, each the mean over windows."""
        by_seed = _group(self.runs, lambda run: run.record.seed)
        return [_mean_of(runs, metric) for runs in by_seed if len(runs) == len(self.windows)]

    def by_window(self, metric: str) -> list[float]:
        """The mean over seeds in each window."""
        windows = [self.windows[name] for name in sorted(self.windows)]
        return [fmean(run.record.metrics[metric].mean for run in runs) for runs in windows]

    def as_json(self) -> dict[str, Any]:
        """The row as `show --json` prints it."""
        names = ("entry", "model", "stage", "dataset", "protocol")
        return {
            **{name: getattr(self.newest, name) for name in names},
            "protocol": protocol_of(self.newest),
            "windows": len(self.windows),
            "seeds": self.seed_numbers,
            "metrics": {metric: asdict(interval) for metric, interval in self.metrics.items()},
            "record_ids": [run.record.record_id for run in self.runs],
        }


@dataclass(frozen=True, eq=False)
class Board:
    """Rows that may be compared: one dataset, stage, protocol and fingerprint; the best row first."""

    rows: tuple[Row, ...]
    columns: tuple[str, ...]

    @property
    def metric(self) -> str | None:
        """The metric that ranks the board."""
        return self.columns[0] if self.columns else None

    @property
    def newest(self) -> Record:
        """A record that names the dataset, stage and protocol of all."""
        return self.rows[0].newest

    def is_best(self, row: Row, metric: str) -> bool:
        """Whether no other row is better on `metric`; False where there is no other."""
        merits = [merit(metric, other.metrics[metric].mean) for other in self.rows if metric in other.metrics]
        return len(merits) > 1 and merit(metric, row.metrics[metric].mean) == max(merits)


@dataclass(frozen=True)
class Comparison:
    """What is known of `entry` minus `against` on `metric`."""

    entry: str
    against: str
    metric: str
    difference: Interval
    verdict: str


def _age(record: Record) -> tuple[str, str]:
    return record.created, record.record_id


def _group(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    groups: dict[Hashable, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


def _mean_of(runs: list[Run], metric: str) -> tuple[float, Any]:
    """Mean and replicates over the windows of one seed."""
    drawn = [run.replicates.get(metric) for run in runs]
    known = [values for values in drawn if values is not None]
    whole = sum(known[1:], start=known[0]) / len(known) if len(known) == len(runs) else None
    return fmean(run.record.metrics[metric].mean for run in runs), whole


def protocol_of(record: Record) -> str:
    """The protocol without the number of the window."""
    fold = record.config.get("protocol", {}).get("fold")
    return record.protocol if fold is None else re.sub(r"-\d+$", "", record.protocol)


def _ground(record: Record) -> tuple[str, str, str]:
    return record.dataset, protocol_of(record), record.dataset_fingerprint


def _recipe(run: Run) -> Hashable:
    config = {key: value for key, value in run.record.config.items() if key != "seed"}
    if isinstance(config.get("protocol"), dict):
        config["protocol"] = {key: value for key, value in config["protocol"].items() if key != "fold"}
    return _ground(run.record), json.dumps(config, sort_keys=True)


def rows(runs: Iterable[Run]) -> list[Row]:
    """One row for each entry, dataset and stage: its newest recipe, and of each seed the latest ok run."""
    ok = sorted((run for run in runs if run.record.status == "ok"), key=lambda run: _age(run.record))
    return [_row(group) for group in _group(ok, lambda r: (r.record.entry, r.record.dataset, r.record.stage))]


def _row(runs: list[Run]) -> Row:
    newest = _recipe(runs[-1])
    kept = {(run.record.seed, run.record.protocol): run for run in runs if _recipe(run) == newest}
    return Row(tuple(kept[key] for key in sorted(kept)), older=len(runs) - len(kept))


def boards(rows: Iterable[Row]) -> list[Board]:
    """The rows by dataset and stage, in funnel order, and apart where protocol or data differ."""

    def place(row: Row) -> tuple[str, int, tuple[str, str, str]]:
        return row.newest.dataset, STAGES.index(row.newest.stage), _ground(row.newest)

    return [_board(group) for group in _group(sorted(rows, key=place), place)]


def _board(rows: list[Row]) -> Board:
    held = Counter(metric for row in rows for metric in row.metrics)
    shown = columns(rows[0].newest.stage, sorted(held, key=lambda metric: -held[metric]))

    def rank(row: Row) -> tuple[float, str]:
        scored = shown and shown[0] in row.metrics
        return -merit(shown[0], row.metrics[shown[0]].mean) if scored else float("inf"), row.newest.entry

    return Board(tuple(sorted(rows, key=rank)), tuple(shown))


def comparisons(board: Board, rows: Iterable[Row]) -> list[list[Comparison]]:
    """The paired differences of the board against its best, then against each baseline among `rows`."""
    metric, best = board.metric, board.rows[0]
    if metric is None or metric not in best.metrics:
        return []
    comparable = [r for r in rows if _ground(r.newest) == _ground(board.newest) and metric in r.metrics]
    comparable.sort(key=lambda row: -merit(metric, row.metrics[metric].mean))
    others = [row for row in comparable if _is_baseline(row.newest, board.newest.stage)]
    scored = [row for row in board.rows if metric in row.metrics]
    against = [best, *(row for row in others if row is not best)]
    tables = [[_compare(row, other, metric) for row in scored if row is not other] for other in against]
    return [table for table in tables if table]


def _is_baseline(record: Record, stage: str) -> bool:
    return record.stage == "recall" if stage == "funnel" else record.model == BASELINES.get(stage)


def _requests(row: Row) -> dict[str, float]:
    """The requests of each window, by which rows can be paired."""
    return {name: runs[0].record.population["requests"] for name, runs in row.windows.items()}


def difference_of(row: Row, other: Row, metric: str) -> Interval:
    """The paired difference of two rows, with an interval that covers users, seeds and windows."""
    windows = [a - b for a, b in zip(row.by_window(metric), other.by_window(metric), strict=False)]
    return over_windows(paired_difference(row.seeds(metric), other.seeds(metric)), windows)


def _compare(row: Row, other: Row, metric: str) -> Comparison:
    difference = difference_of(row, other, metric)
    verdict = "better" if merit(metric, difference.mean) > 0 else "worse"
    if _requests(row) != _requests(other):
        difference, verdict = Interval(difference.mean), "cannot be paired: not the same requests"
    elif difference.lo is None or difference.hi is None:
        verdict = "cannot tell: no values per request"
    elif difference.lo <= 0 <= difference.hi:
        verdict = "no difference shown"
    return Comparison(row.newest.entry, other.newest.entry, metric, difference, verdict)

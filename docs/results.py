"""The tables of README.md and docs/results.md, from the committed records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from benchmarks.intervals import Interval
from leaderboard import load
from leaderboard.aggregate import Row, difference_of, rows
from leaderboard.metrics import label, number

NONE = "No records yet: run `make quickstart`, then `python -m leaderboard publish runs` and `make docs`."


@dataclass(frozen=True)
class Table:
    """One table of the README.

    Attributes:
        title: Above it.
        stages: Rows of these stages, in this order.
        columns: Metrics or patterns of them; those that some row has, of a pattern the first two.
        more: Likewise, those that README.md has no room for.
        compared: Metric, entries or stages whose rows are compared, and what they are compared with. Of a
            pattern the first metric.
    """

    title: str
    stages: tuple[str, ...]
    columns: tuple[str, ...]
    more: tuple[str, ...]
    compared: tuple[tuple[str, str, str], ...]


TABLES = (
    Table(
        "Lists: recall entries alone, and the whole funnel",
        ("funnel", "recall"),
        ("ndcg@10", "recall@20", "recall@50", "ild@20", "coverage@20", "latency_ms/p50"),
        ("ndcg@20", "tail/recall@20", "train/seconds"),
        (
            ("recall@50", "recall", "recall/popular"),
            ("ndcg@10", "recall/swing", "recall/item_cf"),
            ("ndcg@10", "recall/deep_retrieval", "recall/two_tower"),
            ("ndcg@10", "funnel", "recall"),
        ),
    ),
    Table(
        "Scoring the candidates of a request",
        ("rank", "prerank"),
        ("auc/*", "gauc/*", "mrr/*", "latency_ms/p50"),
        ("logloss/*", "pcoc/*", "ece/*", "*/mae", "train/seconds"),
        (("auc/*", "rank", "rank/lr"), ("auc/*", "prerank", "rank/lr")),
    ),
)


def published(folder: Path = load.RECORDS) -> list[Row]:
    """The rows of all committed records."""
    return rows(load.read(load.find(folder)))


def markdown(found: Sequence[Row], short: bool = False) -> str:
    """All tables with their paired differences, by dataset and protocol; with fewer columns if `short`."""
    if not found:
        return NONE
    parts = []
    for board in dict.fromkeys(_board(row) for row in found):
        own = [row for row in found if _board(row) == board]
        parts += [_dataset(own), *(text for table in TABLES if (text := _table(table, own, short)))]
    return "\n\n".join(parts)


def plain(found: Sequence[Row], dataset: str) -> list[Row]:
    """The rows of a dataset that are entries and funnels as they stand in their files."""
    return [row for row in found if row.newest.dataset == dataset and "+" not in row.newest.entry]


def _board(row: Row) -> tuple[str, str]:
    return row.newest.dataset, row.protocol


def cell(metric: str, interval: Interval | None) -> str:
    """`0.123 [0.100, 0.150]`, without the bounds where there are none."""
    if interval is None:
        return "–"
    mean = _short(metric, interval.mean)
    if interval.lo is None or interval.hi is None:
        return mean
    return f"{mean} [{_short(metric, interval.lo)}, {_short(metric, interval.hi)}]"


def _short(metric: str, value: float) -> str:
    """Three decimals where the leaderboard has four."""
    text = number(metric, value)
    return f"{value:.3f}" if text == f"{value:.4f}" else text


def _dataset(found: Sequence[Row]) -> str:
    newest = max((row.newest for row in found), key=lambda record: record.created)
    people = found[0].population
    seeds = sorted({seed for row in found for seed in row.seed_numbers})
    protocol, _, windows = found[0].protocol.partition(", ")
    split = f"`{protocol}`, {windows}" if windows else f"`{protocol}`"
    over = "users, seeds and windows" if windows else "users and seeds"
    return (
        f"**{newest.dataset}**, protocol {split}, seeds {', '.join(map(str, seeds))}: "
        f"{people['requests_with_target']:.0f} test requests with a target, {people['new_users']:.0f} of all "
        f"{people['requests']:.0f} by new users. Mean [95 % interval over {over}]."
    )


def _table(table: Table, found: Sequence[Row], short: bool) -> str:
    own = sorted(
        (row for row in found if row.newest.stage in table.stages), key=lambda row: _place(table, row)
    )
    patterns = table.columns if short else (*table.columns, *table.more)
    columns = [metric for pattern in patterns for metric in _matching(pattern, own)]
    if not columns:
        return ""
    lines = [f"| {' | '.join(['entry', *map(label, columns)])} |", "|---" * (len(columns) + 1) + "|"]
    for row in own:
        cells = [cell(metric, row.metrics.get(metric)) for metric in columns]
        lines.append(f"| {' | '.join([f'`{row.newest.entry}`', *cells])} |")
    differences = [line for comparison in table.compared for line in _differences(*comparison, own, found)]
    differences += [line for row in own for line in _sibling(row, own, columns)]
    note = ["Paired differences, the same users in both:", "", *differences] if differences else []
    return "\n".join([f"*{table.title}*", "", *lines, *(["", *note] if note else [])])


def _matching(pattern: str, found: Sequence[Row]) -> list[str]:
    """The first two metrics of a pattern that rows have."""
    present = dict.fromkeys(metric for row in found for metric in row.metrics)
    return [metric for metric in present if fnmatchcase(metric, pattern)][:2]


def _place(table: Table, row: Row) -> tuple[int, float, str]:
    first = next((row.metrics[m] for m in _matching(table.columns[0], [row])), None)
    return table.stages.index(row.newest.stage), -(first.mean if first else 0.0), row.newest.entry


def _differences(
    pattern: str, which: str, against: str, own: Sequence[Row], found: Sequence[Row]
) -> list[str]:
    metric = next(iter(_matching(pattern, own)), pattern)
    able = [row for row in found if metric in row.metrics and "+" not in row.newest.entry]
    ours = [row for row in able if which in (row.newest.entry, row.newest.stage)]
    others = [row for row in able if against in (row.newest.model, row.newest.stage)]
    return [_difference(metric, row, other) for row in ours for other in others if row is not other]


def _sibling(row: Row, found: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """What a labelled entry has over the one without its label, by the first metric and on the tail."""
    plain_name, _, label_ = row.newest.entry.partition("+")
    others = [other for other in found if other.newest.entry == plain_name and label_]
    metrics = [columns[0], *(m for m in columns if m.startswith("tail/"))]
    return [_difference(metric, row, other) for other in others for metric in metrics]


def _difference(metric: str, row: Row, other: Row) -> str:
    difference = difference_of(row, other, metric)
    bounds = "no interval: no values per user"
    if difference.lo is not None and difference.hi is not None:
        bounds = f"[{difference.lo:+.3f}, {difference.hi:+.3f}]"
        if difference.lo <= 0 <= difference.hi:
            bounds += ", no difference shown"
    return f"- {metric}, `{row.newest.entry}` − `{other.newest.entry}`: {difference.mean:+.3f} {bounds}"

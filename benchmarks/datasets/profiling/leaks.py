"""Features that know what they should not: the label itself, or how often an item will be chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.datasets.config import DatasetConfig
from zoo.core.errors import UserError
from zoo.data.log import Log, Vector
from zoo.data.roles import FeatureConfig
from zoo.data.values import cells_of, column_of, numbers_of, words_of

SAMPLE = 200_000
"""Events that are looked at."""
LEAST = 20
"""Positive events, negative events, or items, below which nothing is said."""
DETERMINES, TELLS, FOLLOWS = 0.95, 0.9, 0.9
"""AUC of one feature, AUC of whether it is missing, correlation with the events of the whole log."""
BINS = 64
EQUAL = 1 - 1e-9


@dataclass(frozen=True)
class _Column:
    """A feature of the sampled events: a code for each value, and 0 where there is none."""

    name: str
    side: str
    codes: Vector


def leaks(log: Log, config: DatasetConfig, flags: dict[str, Vector]) -> Iterator[str]:
    """One line for each feature that tells a label, or the popularity of the whole log.

    Args:
        log: The tables.
        config: Whose features and behaviours are looked at.
        flags: `(E,)` bool by behaviour.
    """
    yield from _of_labels(log, config, flags)
    for side, table, features, key in (
        ("user", log.users, config.schema.user, "user"),
        ("item", log.items, config.schema.item, "item"),
    ):
        count = np.bincount(log.events[key].to_numpy(), minlength=table.num_rows)
        for name, feature in features.items():
            numbers = _numbers(name, feature, column_of(table, name, feature))
            strength = 0.0 if numbers is None else _correlation(numbers, count)
            if strength > FOLLOWS:
                yield (
                    f"{side}.{name} follows the {side}'s number of events in the whole log (correlation "
                    f"{strength:.2f}): it may know the future; use statistics as of each event instead"
                )


def _of_labels(log: Log, config: DatasetConfig, flags: dict[str, Vector]) -> Iterator[str]:
    schema, rows = config.schema, _sample(log.events.num_rows)
    columns = list(_columns(log, config, rows))
    half = np.random.default_rng(1).random(len(rows)) < 0.5
    for label, behaviour in schema.behaviours.items():
        if label == schema.base or behaviour.kind not in ("positive", "negative"):
            continue
        defined = flags[behaviour.given or schema.base][rows]
        positive = flags[label][rows]
        for column in columns:
            missing = column.codes == 0
            told = _auc_of_counts(*_counts(missing.astype(int), positive, defined, 2), np.arange(2.0))
            if missing.any() and max(told, 1 - told) > TELLS:
                yield (
                    f"{column.side}.{column.name} is missing where {label} is decided (AUC of whether it is "
                    f"missing {max(told, 1 - told):.2f}): it leaks the label"
                )
                continue
            strength = _auc(column.codes, positive, defined, half)
            if column.name != "time" and strength > DETERMINES:
                own = column.side in ("context", "shown")
                how = "equals" if strength >= EQUAL and own else "nearly determines"
                yield (
                    f"{column.side}.{column.name} {how} {label} (AUC of it alone {strength:.3f}): "
                    "is it known before the event?"
                )


def _sample(events: int) -> Vector:
    if events <= SAMPLE:
        return np.arange(events)
    return np.sort(np.random.default_rng(0).choice(events, SAMPLE, replace=False))


def _columns(log: Log, config: DatasetConfig, rows: Vector) -> Iterator[_Column]:
    schema = config.schema
    for side, table, features, index in (
        ("user", log.users, schema.user, log.events["user"].to_numpy()[rows]),
        ("item", log.items, schema.item, log.events["item"].to_numpy()[rows]),
        ("context", log.events, schema.moments, rows),
        ("shown", log.events, schema.shown, rows),
    ):
        for name, feature in features.items():
            yield _Column(name, side, _codes(name, feature, column_of(table, name, feature))[index])
    if config.clock == "seconds":
        # Some logs spell a time that is missing as 0 or -1.
        yield _Column("time", "events", (log.events["time"].to_numpy()[rows] > 0).astype(int))


def _codes(name: str, feature: FeatureConfig, column: pa.ChunkedArray) -> Vector:
    """`(N,)` from 1 for each value or narrow bin of numbers, 0 where there is none."""
    if feature.kind == "numeric":
        numbers = numbers_of(name, column)
        known = numbers[~np.isnan(numbers)]
        edges = np.unique(known)
        if len(edges) > BINS:
            edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[:-1]))
        return np.where(np.isnan(numbers), 0, np.searchsorted(edges, numbers, side="right"))
    if feature.kind == "multi":
        cells = pc.binary_join(cells_of(name, column), "\0")
        words = pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)
    else:
        words = words_of(column)
    index = words.dictionary_encode().indices.fill_null(-1)
    return np.asarray(index.to_numpy(zero_copy_only=False)) + 1


def _numbers(name: str, feature: FeatureConfig, column: pa.ChunkedArray) -> Vector | None:
    """`(N,)` NaN where there is none; None if it is no number, though a count may be called categorical."""
    if feature.kind == "multi":
        return None
    try:
        return numbers_of(name, column)
    except UserError:
        if feature.kind == "numeric":
            raise
        return None


def _counts(codes: Vector, positive: Vector, among: Vector, size: int) -> tuple[Vector, Vector]:
    """`(size,)` positive and negative events of each code, in the rows `among`."""
    yes, no = (np.bincount(codes[among & wanted], minlength=size) for wanted in (positive, ~positive))
    return yes, no


def _auc(codes: Vector, positive: Vector, defined: Vector, half: Vector) -> float:
    """AUC of the rate of each value, learned on one half of the events and measured on the other."""
    size = int(codes.max(initial=0)) + 1
    yes, no = _counts(codes, positive, defined & half, size)
    prior = yes.sum() / max(yes.sum() + no.sum(), 1)
    rate = (yes + prior) / (yes + no + 1)
    return _auc_of_counts(*_counts(codes, positive, defined & ~half, size), rate)


def _auc_of_counts(yes: Vector, no: Vector, score: Vector) -> float:
    """AUC of events counted by code, each code with a score; 0.5 where they are too few."""
    if min(yes.sum(), no.sum()) < LEAST:
        return 0.5
    _, place = np.unique(score, return_inverse=True)
    yes, no = np.bincount(place, weights=yes), np.bincount(place, weights=no)
    below = np.cumsum(no) - no
    return float((yes * (below + no / 2)).sum() / (yes.sum() * no.sum()))


def _correlation(values: Vector, counts: Vector) -> float:
    """The larger of Pearson's and Spearman's correlation, unsigned; 0 where values are few or all alike."""
    known = ~np.isnan(values)
    values, counts = values[known], counts[known].astype(float)
    if len(values) < LEAST or (values == values[0]).all() or (counts == counts[0]).all():
        return 0.0
    pairs = ((values, counts), (_ranks(values), _ranks(counts)))
    return max(abs(float(np.corrcoef(*pair)[0, 1])) for pair in pairs)


def _ranks(values: Vector) -> Vector:
    """Places in order, those of equal values their mean."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place])

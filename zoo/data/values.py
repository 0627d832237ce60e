"""Raw values, from Arrow or from Python, to words, cells and numbers."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from zoo.core.errors import UserError, did_you_mean
from zoo.data.log import Vector
from zoo.data.roles import FeatureConfig

Values: TypeAlias = "Sequence[Any] | pa.Array | pa.ChunkedArray"

PAIRS, REACH = 100_000, 200
"""Pairs of events that ages are learned from, and the most events between the two."""


def column_of(table: pa.Table, name: str, config: FeatureConfig) -> pa.ChunkedArray:
    """The column that a feature is made of; raises `UserError` with the nearest one if there is none."""
    source = config.of or name
    if source not in table.column_names:
        names = table.column_names
        near = did_you_mean(source, names)
        raise UserError(f"schema: no column {source!r} for feature {name!r}{near}, found {', '.join(names)}")
    return table[source]


def ages_of(events: pa.Table) -> pa.Table:
    """A column `time` of seconds from an event to a later one of its user, as histories have them.

    Each of the events, or a seeded sample of them, with one of the `REACH` before it.
    """
    user, time = (events[name].to_numpy() for name in ("user", "time"))
    draw = np.random.default_rng(0)
    newer = np.arange(len(user)) if len(user) <= PAIRS else draw.integers(len(user), size=PAIRS)
    before = np.minimum(newer - np.searchsorted(user, user[newer]), REACH)
    older = newer - 1 - (draw.random(len(newer)) * before).astype(np.int64)
    newer, older = newer[before > 0], older[before > 0]
    timed = time[older] > 0
    return pa.table({"time": np.maximum(time[newer] - time[older], 0)[timed]})


def edges_of(numbers: Vector, bins: int) -> tuple[float, ...]:
    """The inner quantiles, fewer where they coincide; none of no values."""
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return ()
    return tuple(np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])).tolist())


def scale_of(numbers: Vector) -> tuple[float, float]:
    """Mean and deviation of the numbers that are known."""
    known = numbers[~np.isnan(numbers)]
    return (float(known.mean()), float(known.std())) if len(known) else (0.0, 1.0)


def transformed(numbers: Vector, config: FeatureConfig) -> Vector:
    """As the config wants numbers that stay numbers."""
    return np.log1p(np.maximum(numbers, 0)) if config.transform == "log" else numbers


def vocabulary(column: pa.ChunkedArray, min_count: int) -> tuple[str, ...]:
    """The words that are there often enough, sorted."""
    cells = pc.list_flatten(column) if pa.types.is_list(column.type) else column
    counts = pc.value_counts(words_of(cells).drop_null())
    words, times = counts.field("values").to_pylist(), counts.field("counts").to_pylist()
    return tuple(sorted(word for word, count in zip(words, times, strict=True) if count >= min_count))


def hashed(words: pa.Array, buckets: int) -> Vector:
    """1 … buckets by a checksum that is the same everywhere; 0 where there is no value."""
    encoded = words.dictionary_encode()
    of_word = [1 + zlib.crc32(word.encode()) % buckets for word in encoded.dictionary.to_pylist()]
    index = pc.fill_null(encoded.indices, len(of_word)).to_numpy(zero_copy_only=False)
    return np.array([*of_word, 0], dtype=np.int64)[index]


def words_of(values: Values) -> pa.Array:
    """The values as text, null where there is none."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        if not pa.types.is_floating(values.type):
            return values.cast(pa.string())
        values = values.to_pylist()
    return pa.array([_word(value) for value in values], pa.string())


def _word(value: Any) -> str | None:
    """One value as logs spell it; pandas makes floats of whole numbers in a column with a gap."""
    if value is None or value != value:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def cells_of(name: str, values: Values) -> pa.Array:
    """Lists of text; pandas says NaN where there is no list."""
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks().cast(pa.list_(pa.string()))
    rows: list[list[str]] = []
    for cell in values:
        if isinstance(cell, str):
            raise UserError(f"{name}: expected a list of values, found {cell!r}")
        nothing = cell is None or isinstance(cell, float)
        rows.append([] if nothing else [_word(value) or "" for value in cell])
    return pa.array(rows, pa.list_(pa.string()))


def numbers_of(name: str, values: Values) -> Vector:
    """`(N,)` double, NaN where there is none."""
    if isinstance(values, pa.Array | pa.ChunkedArray) and not pa.types.is_string(values.type):
        whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        return np.asarray(whole.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return np.array([np.nan if value is None else _number(name, value) for value in _listed(values)])


def _listed(values: Values) -> Sequence[Any]:
    return values if isinstance(values, Sequence) else values.to_pylist()


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UserError(f"{name}: expected a number, found {value!r}") from None


def narrowed(values: Tensor) -> Tensor:
    """Ids in as few bytes as hold them, numbers as they are: a table of clicks has tens of them in a row."""
    if values.is_floating_point():
        return values
    most = int(values.max()) if values.numel() else 0
    kinds = (torch.uint8, torch.int16, torch.int32, torch.int64)
    return values.to(next(kind for kind in kinds if most <= torch.iinfo(kind).max))


def widened(values: Tensor) -> Tensor:
    """The inverse of `narrowed`."""
    return values if values.is_floating_point() else values.long()

"""Times as logs write them, to whole seconds since 1970 UTC and the nanoseconds past them."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.datasets.reading.columns import (
    NULLS,
    Cells,
    WrongType,
    by_hand,
    decoded,
    first_cast,
    is_text,
    to_number,
    to_text,
    without,
)
from benchmarks.datasets.table_config import UNITS

FIRST, LAST = 0, 4_102_444_800
"""1970 and 2100: a time outside is a mistake, most often in the unit."""

FIRST_OF_FINE = 315_532_800
"""1980; an earlier time in a fine unit is one in seconds, most often."""

_ARROW_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?")


def to_times(column: pa.Array, unit: str, empty: Collection[str] = ()) -> Cells:
    """Seconds since 1970 UTC, with the nanoseconds past them as `rest`; times without a zone are UTC.

    Args:
        column: Strings, numbers, or Arrow's own times, whose unit is known whatever `unit` says.
        unit: One of UNITS, `iso`, or a format of strptime.
        empty: Cells that stand for no time besides `NULLS`.
    """
    column = decoded(column)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(column.type):
        return _of_arrow(Cells(column))
    if pa.types.is_nested(column.type) or pa.types.is_boolean(column.type):
        raise WrongType("times")
    if unit in UNITS:
        return _split(to_number(column, empty), UNITS[unit], first_second(unit))
    texts = column.cast(pa.string()) if is_text(column.type) else decoded(to_text(column).values)
    words = {*NULLS, *empty}
    return _of_arrow(_from_iso(texts, words) if unit == "iso" else _from_format(texts, unit, words))


def first_second(unit: str) -> int:
    """The earliest time that is believed."""
    return FIRST_OF_FINE if UNITS.get(unit, 1) > 1 else FIRST


def expected(unit: str, value: str) -> str:
    """What a message says was expected in place of a value, and which unit the value looks like."""
    what = unit if unit in UNITS else "an ISO time" if unit == "iso" else f"a time like {unit}"
    looks = [name for name in fitting(value) if name != unit]
    hint = f" (it looks like {looks[0]}: set time: {looks[0]})" if looks else ""
    return f"expected {what} between {1970 if first_second(unit) == FIRST else 1980} and 2100{hint}"


def fitting(value: str) -> list[str]:
    """The units in which a value is a time between 1980 and 2100."""
    if _ISO.fullmatch(value.strip()):
        return ["iso"]
    try:
        number = float(value)
    except ValueError:
        return []
    return [unit for unit, scale in UNITS.items() if FIRST_OF_FINE <= number / scale < LAST]


def _of_arrow(times: Cells) -> Cells:
    scale = _ARROW_UNITS[times.values.type.unit]
    return _split(Cells(times.values.cast(pa.int64()), times.bad), scale, FIRST)


def _split(times: Cells, scale: int, first: int) -> Cells:
    numbers, bad = times.values, times.bad
    number = float if pa.types.is_floating(numbers.type) else int
    low, high = number(first * scale), number(LAST * scale)
    inside = pc.and_(pc.greater_equal(numbers, low), pc.less(numbers, high))
    if pc.all(inside).as_py() is False:
        outside = pc.invert(pc.fill_null(inside, True))
        numbers = pc.if_else(inside, numbers, None)
        bad = outside if bad is None else pc.or_(bad, outside)
    if pa.types.is_floating(numbers.type):
        # A double tells microseconds apart, up to 2100, and no more.
        numbers, scale = pc.round(pc.multiply(numbers, 10**6 / scale)).cast(pa.int64()), 10**6
    seconds = pc.divide(numbers, scale)
    rest = pc.multiply(pc.subtract(numbers, pc.multiply(seconds, scale)), 10**9 // scale)
    return Cells(seconds, bad, rest if pc.any(rest.cast(pa.bool_())).as_py() else None)


def _from_iso(texts: pa.StringArray, words: Collection[str]) -> Cells:
    for prepare in (_as_is, partial(_trimmed, words=words), _zoned):
        texts = prepare(texts)
        times = first_cast(texts, pa.timestamp("ns"), pa.timestamp("ns", "UTC"))
        if times is not None:
            return Cells(times)
    return by_hand(texts, lambda text: _utc(datetime.fromisoformat(text)), pa.timestamp("us"))


def _as_is(texts: pa.StringArray) -> pa.StringArray:
    return texts


def _trimmed(texts: pa.StringArray, words: Collection[str]) -> pa.StringArray:
    return without(pc.utf8_trim_whitespace(texts), words)


def _zoned(texts: pa.StringArray) -> pa.StringArray:
    for word in (" UTC", " GMT"):
        texts = pc.replace_substring(texts, word, "Z")
    return texts


def _from_format(texts: pa.StringArray, form: str, words: Collection[str]) -> Cells:
    texts = _trimmed(texts, words)
    times = pc.strptime(texts, format=form, unit="s", error_is_null=True)
    # Arrow takes the 31st of February for the 2nd of March, so the first days of a month are read again.
    doubtful = pc.and_(pc.is_valid(texts), pc.fill_null(pc.less_equal(pc.day(times), 3), True))
    if not pc.any(doubtful).as_py():
        return Cells(times)
    slow = by_hand(
        texts.filter(doubtful), lambda text: _utc(datetime.strptime(text, form)), pa.timestamp("us")
    )
    bad = pc.replace_with_mask(pc.fill_null(doubtful, False), doubtful, slow.bad)
    return Cells(pc.replace_with_mask(times.cast(pa.timestamp("us")), doubtful, slow.values), bad)


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=None) if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)

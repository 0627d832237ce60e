"""`benchmarks.datasets.reading.times`: every way to write a time, against Python's datetime."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.datasets.reading.columns import Cells, WrongType
from benchmarks.datasets.reading.times import expected, to_times

T = 1_588_327_445  # 2020-05-01 10:04:05 UTC
NS = 10**9


def bad(cells: Cells) -> list[bool]:
    return [False] * len(cells.values) if cells.bad is None else cells.bad.to_pylist()


@pytest.mark.parametrize(
    ("unit", "text", "seconds", "nanoseconds"),
    [
        ("seconds", f"{T}", T, 0),
        ("seconds", f" {T} ", T, 0),
        ("seconds", f"{T}.25", T, NS // 4),
        ("seconds", "1.588327445e9", T, 0),
        ("seconds", "0", 0, 0),
        ("seconds", "17", 17, 0),
        ("milliseconds", f"{T}123", T, 123_000_000),
        ("milliseconds", f"{T}123.0", T, 123_000_000),
        ("microseconds", f"{T}123456", T, 123_456_000),
        ("nanoseconds", f"{T}123456789", T, 123_456_789),
        ("iso", "2020-05-01", 1_588_291_200, 0),
        ("iso", "2020-05-01 10:04", T - 5, 0),
        ("iso", "2020-05-01T10:04:05", T, 0),
        ("iso", "2020-05-01 10:04:05.5", T, NS // 2),
        ("iso", "2020-05-01T10:04:05.123456789Z", T, 123_456_789),
        ("iso", "2020-05-01T12:04:05+02:00", T, 0),
        ("iso", "2020-05-01 12:04:05+0200", T, 0),
        ("iso", "2020-05-01 10:04:05 UTC", T, 0),
        ("%d/%m/%Y %H:%M", "01/05/2020 10:04", T - 5, 0),
        ("%d/%m/%Y %H:%M", "1/5/2020 10:04", T - 5, 0),
        ("%d.%m.%y", "29.02.20", 1_582_934_400, 0),
        ("%Y%m%d", "20200501", 1_588_291_200, 0),
        ("%Y-%m-%d %H:%M:%S.%f", "2020-05-01 10:04:05.250000", T, NS // 4),
        ("%Y-%m-%d %H:%M:%S %z", "2020-05-01 12:04:05 +0200", T, 0),
        ("%b %d %Y %I:%M %p", "May 01 2020 10:04 AM", T - 5, 0),
    ],
)
def test_a_time(unit, text, seconds, nanoseconds):
    cells = to_times(pa.array([text, None]), unit)
    assert cells.values.type == pa.int64()
    assert cells.values.to_pylist() == [seconds, None]
    assert (cells.rest or pa.array([0, None])).to_pylist() == [nanoseconds, None]
    assert bad(cells) == [False, False]


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("seconds", f"{T}000"),
        ("seconds", "-1"),
        ("seconds", "x"),
        ("seconds", "inf"),
        ("seconds", "2020-05-01"),
        ("milliseconds", f"{T}"),
        ("milliseconds", "0"),
        ("iso", "2020-02-30"),
        ("iso", "2020-05-01 25:00:00"),
        ("iso", f"{T}"),
        ("iso", "1969-12-31"),
        ("iso", "9999-12-31"),
        ("%d/%m/%Y", "31/02/2020"),
        ("%d/%m/%Y", "29/02/2019"),
        ("%d/%m/%Y", "13/31/2020"),
        ("%d/%m/%Y", "01/02/2020x"),
        ("%d/%m/%Y", "01/02/2101"),
    ],
)
def test_no_time(unit, text):
    cells = to_times(pa.array([text, None]), unit)
    assert cells.values.to_pylist() == [None, None]
    assert bad(cells) == [True, False]


@pytest.mark.parametrize("word", ["", "NA", "null", "NaN", "\\N", " "])
@pytest.mark.parametrize(
    ("unit", "text"),
    [("seconds", f"{T}"), ("iso", "2020-05-01T10:04:05"), ("%Y%m%d%H%M%S", "20200501100405")],
)
def test_an_empty_cell_is_null_and_not_bad(unit, text, word):
    cells = to_times(pa.array([text, word]), unit)
    assert cells.values.to_pylist() == [T, None]
    assert bad(cells) == [False, False]


def test_mixed_spellings_of_iso_in_one_column():
    texts = ["2020-05-01T10:04:05Z", "2020-05-01 10:04:05", "2020-05-01T12:04:05+02:00", "yesterday", ""]
    cells = to_times(pa.array(texts), "iso")
    assert cells.values.to_pylist() == [T, T, T, None, None]
    assert bad(cells) == [False, False, False, True, False]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Rome"])
def test_times_of_arrow_know_their_unit(unit, zone):
    moment = datetime(2020, 5, 1, 10, 4, 5, tzinfo=UTC)
    column = pa.array([moment if zone else moment.replace(tzinfo=None), None], pa.timestamp(unit, zone))
    assert to_times(column, "milliseconds").values.to_pylist() == [T, None]


def test_other_columns_of_arrow():
    assert to_times(pa.array([date(2020, 5, 1)]), "seconds").values.to_pylist() == [1_588_291_200]
    assert to_times(pa.array([20200501]), "%Y%m%d").values.to_pylist() == [1_588_291_200]
    assert to_times(pa.array([T * 1000 + 1]), "milliseconds").rest.to_pylist() == [1_000_000]
    assert to_times(pa.array([T + 0.5, float("nan")]), "seconds").values.to_pylist() == [T, None]
    assert to_times(pa.array([f"{T}"]).dictionary_encode(), "seconds").values.to_pylist() == [T]
    assert to_times(pa.nulls(2), "iso").values.to_pylist() == [None, None]
    for column in (pa.array([[1]]), pa.array([True])):
        with pytest.raises(WrongType):
            to_times(column, "seconds")


@pytest.mark.parametrize(
    ("unit", "value", "message"),
    [
        (
            "seconds",
            f"{T}000",
            "expected seconds between 1970 and 2100 (it looks like milliseconds: set time: mill",
        ),
        ("seconds", f"{T}000000000", "(it looks like nanoseconds: set time: nanoseconds)"),
        ("seconds", "2020-05-01 10:00", "(it looks like iso: set time: iso)"),
        (
            "milliseconds",
            f"{T}",
            "expected milliseconds between 1980 and 2100 (it looks like seconds: set time: s",
        ),
        (
            "iso",
            f"{T}",
            "expected an ISO time between 1970 and 2100 (it looks like seconds: set time: seconds)",
        ),
        ("%d/%m/%Y", "x", "expected a time like %d/%m/%Y between 1970 and 2100"),
    ],
)
def test_the_message_proposes_the_unit(unit, value, message):
    assert message in expected(unit, value)


MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2099, 12, 31))
ZONES = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
SEPARATORS = st.sampled_from("T ")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(MOMENTS, st.none() | ZONES, SEPARATORS), min_size=1, max_size=5))
def test_iso_is_what_datetime_says(moments):
    texts = [moment.replace(tzinfo=zone).isoformat(sep) for moment, zone, sep in moments]
    cells = to_times(pa.array(texts), "iso")
    micros = timedelta(microseconds=1)
    found = [
        s * 10**6 + (0 if cells.rest is None else cells.rest[i].as_py() // 1000)
        for i, s in enumerate(cells.values.to_pylist())
    ]
    zoned = [moment.replace(tzinfo=zone or UTC) for moment, zone, _ in moments]
    assert found == [(moment - datetime(1970, 1, 1, tzinfo=UTC)) // micros for moment in zoned]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(MOMENTS, min_size=1, max_size=5),
    st.sampled_from(["%d/%m/%Y %H:%M:%S", "%Y%m%d%H%M%S", "%m-%d-%Y %I:%M:%S %p", "%d %b %Y %H:%M:%S"]),
)
def test_formats_are_what_strftime_says(moments, form):
    cells = to_times(pa.array([moment.strftime(form) for moment in moments]), form)
    whole = [moment.replace(microsecond=0, tzinfo=UTC).timestamp() for moment in moments]
    assert cells.values.to_pylist() == whole
    assert not any(bad(cells))

"""What is counted of a log, against numbers worked by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tiny_profile import (
    BEHAVIOURS,
    CATEGORY,
    ITEMS,
    NUMBER,
    START,
    USERS,
    profiled,
)

from benchmarks.datasets import DatasetConfig
from benchmarks.datasets.profiling.advice import warnings_of
from benchmarks.datasets.profiling.profile import Spread, profile
from benchmarks.datasets.reading.report import Report
from zoo.core.errors import UserError
from zoo.data.log import Log
from zoo.data.roles import BehaviourConfig, FeatureConfig, SchemaConfig
from zoo.data.windows import StatisticsConfig


def tiny() -> tuple[Log, DatasetConfig]:
    log = Log.of(
        pa.table(
            {
                "user_id": ["a", "a", "a", "a", "b", "c"],
                "item_id": ["x", "x", "y", "z", "x", "y"],
                "time": [100, 100, 100, 86_500, 200, 43_300],
                "click": [1, 1, 0, 1, 0, 1],
                "like": [1, 0, 1, 0, 1, 0],
                "seconds": [2.0, 4.0, 9.0, None, 9.0, 6.0],
                "device": ["p", None, "q", "p", "p", "r"],
            }
        ),
        pa.table({"user_id": ["a", "b", "c", "d"], "age": [20, None, None, 40]}),
        pa.table({"item_id": ["x", "y", "z"], "tags": [["m", "n"], [], ["m"]]}),
    )
    schema = SchemaConfig(
        user={"age": NUMBER},
        item={"tags": FeatureConfig("multi", length=2, min_count=2)},
        context={"device": CATEGORY},
        behaviours=BEHAVIOURS | {"watch": BehaviourConfig(kind="explicit", value="seconds", given="click")},
    )
    return log, DatasetConfig(schema, name="tiny")


def test_sizes_span_and_spreads_are_those_counted_by_hand() -> None:
    found = profile(*tiny(), Report())
    assert (found.events, found.users, found.items, found.span_days) == (6, 4, 3, 1.0)
    assert found.per_user == Spread(1, 1.0, 4)
    assert found.per_item == Spread(1, 2.0, 3)


def test_duplicates_and_ties_are_those_counted_by_hand() -> None:
    found = profile(*tiny(), Report())
    assert found.duplicates == 1
    assert found.ties == pytest.approx(3 / 6)


def test_an_order_within_a_second_hides_no_duplicate() -> None:
    events = pa.table(
        {"user_id": ["a"] * 3, "item_id": ["x", "y", "x"], "time": [5, 5, 5], "order": [1, 2, 3]}
    )
    assert profile(Log.of(events), DatasetConfig(SchemaConfig()), Report()).duplicates == 1


def test_coverage_is_that_counted_by_hand() -> None:
    age, tags, device = profile(*tiny(), Report()).coverage
    assert (age.rows, age.events, age.distinct, age.top) == (0.5, pytest.approx(4 / 6), 2, 0.5)
    assert (tags.rows, tags.events) == (pytest.approx(2 / 3), pytest.approx(4 / 6))
    assert (tags.distinct, tags.top, tags.unknown) == (2, pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (device.side, device.rows, device.distinct) == ("context", pytest.approx(5 / 6), 3)
    assert device.examples[0] == "p"


def test_coverage_of_the_events_of_a_history_is_that_counted_by_hand() -> None:
    log, config = tiny()
    event = {"seconds": FeatureConfig("numeric", transform="log"), "age": replace(NUMBER, of="time")}
    config = replace(config, schema=replace(config.schema, event=event))
    *_, seconds = profile(log, config, Report()).coverage
    assert (seconds.name, seconds.side, seconds.distinct) == ("seconds", "event", 4)
    assert seconds.rows == seconds.events == pytest.approx(5 / 6)


def test_statistics_with_something_to_count_are_those_counted_by_hand() -> None:
    log, config = tiny()
    schema = replace(config.schema, statistics=StatisticsConfig(["1d", "1h", "all"], ["tags"]))
    found = profile(log, replace(config, schema=schema), Report()).statistics
    # In the day before, a's z has a's first events, b's x and c's y have a's; nobody clicked y then, and
    # x and z share the tag m.
    sixths = {"user_count": (1, 0), "user_rate:like": (1, 0), "user_tags_rate:like": (1, 0)}
    sixths |= {"item_count": (2, 1), "item_rate:click": (2, 1), "item_rate:like": (1, 1)}
    for name, (day, hour) in sixths.items():
        assert found[f"{name}:1d"] == pytest.approx(day / 6) == found[f"{name}:all"], name
        assert found[f"{name}:1h"] == pytest.approx(hour / 6), name
    assert len(found) == 3 * 3 * 3 and profile(*tiny(), Report()).statistics == {}


def test_rates_are_those_counted_by_hand() -> None:
    exposure, click, like, watch = profile(*tiny(), Report()).labels
    assert (exposure.given, exposure.events, exposure.rate, exposure.constant) == ("", 6, 1.0, False)
    assert (click.given, click.events, click.rate) == ("exposure", 6, pytest.approx(4 / 6))
    assert (like.given, like.events, like.rate, like.outside) == ("click", 4, 0.25, 2)
    assert (watch.events, watch.rate, watch.outside) == (3, 4.0, 0)


def test_exposures_passed_over_are_those_without_any_positive() -> None:
    assert profile(*tiny(), Report()).passed_over == 0.0  # b's x is liked, though not clicked
    log, config = tiny()
    behaviours = {name: BEHAVIOURS[name] for name in ("exposure", "click")}
    config = replace(config, schema=SchemaConfig(behaviours=behaviours))
    assert profile(log, config, Report()).passed_over == pytest.approx(2 / 6)


def test_a_log_without_users_and_times_has_neither() -> None:
    log = Log.of(pa.table({"time": [0, 0, 0], "click": [1, 0, 1]}))
    behaviours = {name: BEHAVIOURS[name] for name in ("exposure", "click")}
    found = profile(log, DatasetConfig(SchemaConfig(behaviours=behaviours), clock="none"), Report())
    assert (found.events, found.users, found.items) == (3, 0, 0)
    assert (found.per_user, found.span_days, found.duplicates, found.ties) == (None, None, 0, 0.0)
    assert warnings_of(found) == []


def test_statistics_that_differ_are_told() -> None:
    found = profiled(statistics={"events": 1999, "users": USERS, "rows": 3})
    assert found.differences == (
        "statistics.events: 1,999 stated, 2,000 found",
        "statistics.rows: expected one of events, users, items",
    )


def test_a_value_of_a_column_that_is_not_there_is_the_users_mistake() -> None:
    watch = BehaviourConfig(kind="explicit", value="clik * 2")
    with pytest.raises(UserError, match=r"^behaviours.watch.value: .*clik.*click"):
        profiled({"behaviours": BEHAVIOURS | {"watch": watch}})


def test_a_schema_of_a_column_that_is_not_there_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="no column 'pric' for feature 'pric' \\(did you mean 'price'"):
        profiled({"item": {"pric": NUMBER}})


@pytest.mark.parametrize("published", [np.arange(ITEMS) + 1960, np.full(ITEMS, START * 1000 + 10**12)])
def test_years_and_milliseconds_are_not_taken_for_times(published: np.ndarray[Any, Any]) -> None:
    assert profiled(items={"published": published}).early == {}

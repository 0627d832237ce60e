"""Each fault of a log warns, and a log without one is silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from tiny_profile import (
    BEHAVIOURS,
    CATEGORY,
    EVENTS,
    ITEMS,
    START,
    USERS,
    clean,
    profiled,
    the_warning,
)

from benchmarks.datasets.profiling.advice import warnings_of
from benchmarks.datasets.profiling.profile import profile
from benchmarks.datasets.reading.report import Report
from zoo.data.log import Log
from zoo.data.roles import BehaviourConfig


def test_a_clean_log_has_no_warning_and_no_difference() -> None:
    found = profiled(statistics={"events": EVENTS, "users": USERS, "items": ITEMS})
    assert warnings_of(found) == []
    assert found.differences == ()


def test_bad_rows_warn() -> None:
    report = Report()
    report.add("events", "a.csv", 100, 2, ["a.csv:7: time 'x' is no number"])
    assert the_warning(profiled(report=report)) == (
        "2 of 100 rows read are bad and left out (a.csv:7: time 'x' is no number)"
    )


def test_one_time_for_all_events_warns_unless_there_is_no_clock() -> None:
    same = {"time": np.full(EVENTS, START)}
    assert any("the same time" in text for text in warnings_of(profiled(events=same)))
    assert warnings_of(profiled(events=same, clock="none")) == []


def test_ties_of_what_was_chosen_warn() -> None:
    ties = {"time": START + np.arange(EVENTS) // 100 * 60}
    assert any("of click events share user and time" in text for text in warnings_of(profiled(events=ties)))


def test_ties_of_what_was_only_shown_are_no_fault() -> None:
    # Of every ten items that a user is shown at one time, the first is clicked.
    number = np.arange(EVENTS)
    events = {
        "user_id": [f"u{n // 10 % USERS}" for n in number],
        "item_id": [f"i{n % 10 + n // 200 % 30}" for n in number],
        "time": START + number // 10 * 60,
        "click": (number % 10 == 0).astype(int),
        "like": ((number % 10 == 0) & (np.random.default_rng(5).random(EVENTS) < 0.5)).astype(int),
    }
    found = profiled(events=events)
    assert (found.ties, found.choice_ties, warnings_of(found)) == (1.0, 0.0, [])


def test_duplicates_warn() -> None:
    log, config = clean()
    twice = Log(pa.concat_tables([log.events, log.events.slice(5, 1)]).combine_chunks(), log.users, log.items)
    twice = replace(twice, events=twice.events.sort_by([("user", "ascending"), ("time", "ascending")]))
    warning = the_warning(profile(twice, config, Report()))
    assert warning == "1 events repeat the user, item and time of another"


def test_events_before_an_item_exists_warn() -> None:
    published = np.full(ITEMS, START - 1)
    published[7] = START + 60 * EVENTS
    found = profiled(items={"published": published})
    log, _ = clean()
    ids = log.items["item_id"].take(log.events["item"]).to_pylist()
    assert found.early == {"published": pytest.approx(ids.count("i7") / EVENTS)}
    assert "are before items.published: the item did not exist yet" in the_warning(found)


def test_a_feature_without_a_value_warns() -> None:
    empty = pa.array([None] * USERS, pa.string())
    found = profiled({"user": {"city": CATEGORY}}, users={"city": empty})
    assert the_warning(found) == "user.city has no value at all"


def test_a_feature_that_is_always_the_same_warns() -> None:
    found = profiled({"user": {"city": CATEGORY}}, users={"city": ["Rome"] * USERS})
    assert the_warning(found) == "user.city is always 'Rome': a feature that tells nothing"


def test_no_exposures_warn() -> None:
    found = profiled({"behaviours": {"watch": BehaviourConfig(), "click": BEHAVIOURS["click"]}})
    assert the_warning(found).startswith("no exposures")


def test_exposures_that_are_all_positive_warn() -> None:
    behaviours = {"exposure": BEHAVIOURS["exposure"], "click": BehaviourConfig("click >= 0")}
    texts = warnings_of(profiled({"behaviours": behaviours}))
    assert texts == [
        "every exposure is a positive as well: what was shown and passed over seems to be missing",
        "behaviour click is constant given exposure: 1 at all 2,000 events",
    ]


def test_a_label_that_is_constant_where_it_is_defined_warns() -> None:
    behaviours = BEHAVIOURS | {"finish": BehaviourConfig("click == 1", given="click")}
    assert "behaviour finish is constant given click: 1 at all" in the_warning(
        profiled({"behaviours": behaviours})
    )


def test_a_label_that_is_defined_nowhere_warns() -> None:
    behaviours = BEHAVIOURS | {
        "buy": BehaviourConfig("click == 2"),
        "refund": BehaviourConfig("click == 3", given="buy"),
    }
    texts = warnings_of(profiled({"behaviours": behaviours}))
    assert texts[1] == "behaviour refund is defined at no event given buy"


def test_a_conditional_label_without_its_condition_warns() -> None:
    behaviours = BEHAVIOURS | {"like": BehaviourConfig("like == 1 or device == 'tablet'", given="click")}
    found, (log, _) = profiled({"behaviours": behaviours}), clean()
    click, device = log.events["click"].to_pylist(), log.events["device"].to_pylist()
    outside = sum(on == "tablet" and not clicked for clicked, on in zip(click, device, strict=True))
    assert the_warning(found) == f"{outside} events are like but not click, which it is given"

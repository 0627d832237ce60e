"""Populations of windows, and when they are too unlike to choose on one for the other."""

from __future__ import annotations

from tiny_world import PROTOCOL, world

from benchmarks.populations import differences, populations

SAME = {"requests": 100, "new_users": 10, "span_days": 30.0, "targets_per_request": 5.0, "gap_days": 1.0}


def told(**changes: float) -> list[str]:
    return differences({"p@1/validation": SAME, "p@1/test": SAME | changes})


def test_windows_that_resemble_each_other_are_fine() -> None:
    assert told() == told(new_users=25, span_days=60, targets_per_request=7) == []


def test_what_differs_is_told_with_both_numbers() -> None:
    assert told(new_users=57) == ["10% of users are new in validation and 57% in the test"]
    assert told(span_days=791) == ["span_days is 30 in validation and 791 in the test"]
    assert told(targets_per_request=1) == ["targets_per_request is 5 in validation and 1 in the test"]


def test_windows_of_one_side_are_averaged() -> None:
    found = {"p@1/validation-1": SAME, "p@1/test-1": SAME, "p@1/test-2": SAME | {"span_days": 300.0}}
    assert differences(found) == ["span_days is 30 in validation and 165 in the test"]


def test_every_window_of_a_protocol_is_counted() -> None:
    small = world()
    found = populations(small.config, PROTOCOL, small.log)
    assert [label.split("/")[1] for label in found] == ["validation", "test"]
    assert found["tiny@1/test"] == small.population()

"""What a snapshot knows, against loops over plain rows; and that it knows nothing of the future."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import DAY, START, Event, World, ordered, padded_ids, world
from zoo.core.schema import Task
from zoo.core.types import Batch
from zoo.data.snapshot import Snapshot, numeric
from zoo.data.split import Requests, every_event, window

SEEDS, CUTS = st.integers(0, 40), st.integers(4, 18).map(lambda step: START + step * 2 * DAY)
FEW = settings(max_examples=15, deadline=None)


def same(found: Batch, expected: Batch) -> bool:
    return found.keys() == expected.keys() and all(found[name].equal(expected[name]) for name in found)


def request(snapshot: Snapshot, row: int, known: int, time: int) -> Requests:
    """A user's request after the first `known` events."""
    end = int(snapshot.events.offsets[row]) + known
    stop = int(snapshot.events.offsets[row + 1])
    return Requests(*(torch.tensor([value]) for value in (row, end, stop, time, known == 0)))


def rate(w: World, cut: int) -> float:
    past = [event.rating >= 4 for event in w.events if event.time < cut]
    return sum(past) / len(past) if past else 0.5


@FEW
@given(SEEDS, CUTS)
def test_statistics_of_items_equal_a_loop(which: int, cut: int) -> None:
    w = world(which)
    catalogue = w.snapshot(cut).catalogue
    past = [event for event in w.events if event.time < cut]

    def popularity(events: list[Event]) -> list[float]:
        counts = [sum(event.item == raw for event in events) for raw in sorted(w.items)]
        mean = max(sum(counts), 1) / len(counts)
        return [math.log(1 + count / mean) for count in counts]

    expected = {"count": popularity(past)}
    for days in (30, 7):
        expected[f"count_{days}d"] = popularity([event for event in past if event.time >= cut - days * DAY])
    own = [[event.rating >= 4 for event in past if event.item == raw] for raw in sorted(w.items)]
    expected["rate:like"] = [(sum(likes) + 5 * rate(w, cut)) / (len(likes) + 5) for likes in own]
    for name, values in expected.items():
        assert catalogue[name][1:].tolist() == pytest.approx(values, abs=1e-5), name


@FEW
@given(SEEDS, CUTS)
def test_features_of_a_request_equal_a_loop(which: int, cut: int) -> None:
    w = world(which)
    snapshot = w.snapshot(cut)
    requests = window(snapshot.events, cut, 2**40)
    batch = snapshot.requests(requests)
    for place, (row, moment) in enumerate(zip(requests.row.tolist(), requests.time.tolist(), strict=True)):
        first = int(snapshot.events.offsets[row])
        past = ordered(w, sorted(w.users)[row])[: int(requests.end[place]) - first]
        likes = [event for event in past if event.rating >= 4]
        for name, events in (("watch", past), ("like", likes)):
            ids = [w.item(event.item) for event in reversed(events)][:6]
            assert batch[f"history:{name}"][place].tolist() == padded_ids([ids], 6)[0].tolist()
        gap = moment - past[-1].time if past else 0
        when = datetime.fromtimestamp(moment, UTC)
        assert batch["history_size"][place].item() == pytest.approx(math.log(1 + len(past)))
        assert batch["gap"][place].item() == pytest.approx(math.log(1 + gap))
        smoothed = (len(likes) + 5 * rate(w, cut)) / (len(past) + 5)
        assert batch["user_rate:like"][place].item() == pytest.approx(smoothed)
        # Days are counted from 1 January 1970, a Thursday.
        assert (
            batch["hour"][place] == 1 + when.hour and batch["weekday"][place] == 1 + (when.weekday() - 3) % 7
        )


@FEW
@given(SEEDS, CUTS)
def test_answers_and_counts_equal_a_loop(which: int, cut: int) -> None:
    w = world(which)
    snapshot = w.snapshot(cut)
    requests = window(snapshot.events, cut, 2**40)
    later: dict[str, list[list[int]]] = {"watch": [], "like": []}
    counts = []
    for place, row in enumerate(requests.row.tolist()):
        first = int(snapshot.events.offsets[row])
        own, end = ordered(w, sorted(w.users)[row]), int(requests.end[place]) - first
        later["watch"].append([w.item(event.item) for event in own[end:]])
        later["like"].append([w.item(event.item) for event in own[end:] if event.rating >= 4])
        counts.append(sum(event.rating >= 4 for event in own[:end]))
    for name, rows in later.items():
        distinct = padded_ids([list(dict.fromkeys(row)) for row in rows])
        found = snapshot.answers(requests, name)
        assert found[:, : distinct.shape[1]].equal(distinct) and not found[:, distinct.shape[1] :].any()
    assert snapshot.count(requests, "like").tolist() == counts


@FEW
@given(SEEDS, CUTS)
def test_the_future_changes_nothing(which: int, cut: int) -> None:
    w = world(which)
    past = w.keeping([event for event in w.events if event.time < cut])
    now, without = w.snapshot(cut), past.snapshot(cut)
    assert now.encoder == without.encoder and now.schema == without.schema and now.rates == without.rates
    assert same(now.catalogue, without.catalogue)
    before = [
        snapshot.requests(every_event(snapshot.events, snapshot.events.before(cut)))
        for snapshot in (now, without)
    ]
    assert same(*before)


@FEW
@given(SEEDS, CUTS, st.data())
def test_what_a_user_does_after_a_request_changes_nothing_in_it(
    which: int, cut: int, data: st.DataObject
) -> None:
    w = world(which)
    user = data.draw(st.sampled_from(sorted(w.users)))
    own, row = ordered(w, user), sorted(w.users).index(user)
    known = data.draw(st.integers(0, len(own)))
    moment = max(cut, own[known - 1].time if known else 0) + 5
    kept = [event for event in w.events if event.user != user or event in own[:known]]
    found = [
        snapshot.requests(request(snapshot, row, known, moment))
        for snapshot in (
            w.snapshot(cut),
            Snapshot.at(w.log, w.keeping(kept).snapshot(cut).events, w.encoder(cut), cut, 6),
        )
    ]
    # The prior of the rate is everybody's, as of the cut, so that it may know the user's own later events.
    later_is_past = any(event.time < cut for event in own[known:])
    for batch in found if later_is_past else ():
        del batch["user_rate:like"]
    assert same(*found)


def test_the_schema_holds_what_requests_and_catalogue_hold() -> None:
    w = world(2)
    snapshot = w.snapshot(START + 30 * DAY)
    schema, requests = snapshot.schema, every_event(snapshot.events, snapshot.stop)
    batch = snapshot.requests(requests) | {name: x[1:] for name, x in snapshot.catalogue.items()}
    assert {feature.name for feature in schema} == batch.keys()
    assert schema.tasks == (Task("watch"), Task("like", "watch"))
    for feature in schema:
        values = batch[feature.name]
        if feature.kind == "numeric":
            assert feature.mean == pytest.approx(values.double().mean().item(), rel=1e-5)
            assert feature.std == pytest.approx(np.std(values.double().numpy()), rel=1e-5)
        else:
            assert values.min() >= 0 and values.max() < feature.vocab
            assert values.shape[1:] == ((feature.length,) if feature.length else ())
    assert all(not snapshot.catalogue[f.name][0].any() for f in schema.having("item_id", "item"))


def test_a_new_user_has_id_0_and_an_empty_history() -> None:
    w = world(0)
    batch = w.snapshot(START).requests(request(w.snapshot(START), 6, 0, START))
    assert batch["user_id"].item() == 0 and not batch["history:watch"].any()
    assert batch["history_size"].item() == batch["gap"].item() == 0 and batch["user_rate:like"].item() == 0.5


def test_a_numeric_feature_is_scaled_by_finite_values_and_never_by_0() -> None:
    feature = numeric("x", "column", torch.tensor([1.0, 3.0, torch.nan, torch.inf]))
    assert (feature.mean, feature.std) == (2.0, 1.0)
    assert numeric("x", "column", torch.ones(3)).std > 0
    assert (numeric("x", "column", torch.zeros(0)).mean, numeric("x", "column", torch.zeros(0)).std) == (0, 1)


def test_a_gap_is_counted_in_seconds() -> None:
    w = world(0)
    snapshot = w.snapshot(START + 40 * DAY)
    last = ordered(w, "u0")[2].time
    assert snapshot.requests(request(snapshot, 0, 3, last + 5))["gap"].item() == pytest.approx(math.log(6))

"""Order, cuts and windows against loops over plain rows."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import ROLES, START, World, mix, ordered, padded_ids, world
from zoo.core.errors import UserError
from zoo.data.log import Log, tie_hash
from zoo.data.roles import BehaviourConfig, SchemaConfig
from zoo.data.split import Events, every_event, padded, window

SEEDS = st.integers(0, 40)
FEW = settings(max_examples=15, deadline=None)


def flat(events: Events) -> list[tuple[int, int, int]]:
    return list(zip(events.row.tolist(), events.item.tolist(), events.time.tolist(), strict=True))


def naive(world: World, seed: int) -> list[tuple[int, int, int]]:
    return [
        (row, world.item(event.item), event.time)
        for row, user in enumerate(sorted(world.users))
        for event in ordered(world, user, seed)
    ]


def test_the_hash_is_splitmix64() -> None:
    # The first output of the published generator from state 0.
    assert tie_hash(np.array([0]), np.array([0]), 0).tolist() == [0xE220A8397B1DCDAF]
    row, item = np.arange(50) * 7919, np.arange(50)[::-1] * 104729
    for seed in (0, 3, 2**40):
        expected = [mix(r, i, seed) for r, i in zip(row.tolist(), item.tolist(), strict=True)]
        assert tie_hash(row, item, seed).tolist() == expected


@FEW
@given(SEEDS, st.integers(0, 5))
def test_events_are_sorted_by_user_time_and_hash(which: int, seed: int) -> None:
    w = world(which)
    events = Events.of(w.log.with_ties(seed), ROLES)
    assert flat(events) == naive(w, seed)
    counts = [len(ordered(w, user)) for user in sorted(w.users)]
    assert events.offsets.tolist() == [0, *np.cumsum(counts)]
    liked = [event.rating >= 4 for user in sorted(w.users) for event in ordered(w, user, seed)]
    assert events.flags["like"].tolist() == liked and events.flags["watch"].all()


def test_ties_are_there_and_another_seed_orders_them_anew() -> None:
    orders = {tuple(flat(Events.of(world(1).log.with_ties(seed), ROLES))) for seed in range(5)}
    assert len(orders) > 1


@FEW
@given(SEEDS, st.randoms())
def test_neither_file_order_nor_labels_change_the_order(which: int, rand: random.Random) -> None:
    w = world(which)
    events = list(w.events)
    rand.shuffle(events)
    relabelled = [event._replace(rating=float(rand.randint(1, 5))) for event in events]
    shuffled = Events.of(w.keeping(events).log, ROLES)
    assert (
        flat(shuffled) == flat(Events.of(w.log, ROLES)) == flat(Events.of(w.keeping(relabelled).log, ROLES))
    )
    assert shuffled.flags["like"].equal(Events.of(w.log, ROLES).flags["like"])


@FEW
@given(SEEDS, st.sampled_from([0.0, 0.1, 0.5, 0.8, 0.9, 1.0]))
def test_a_cut_is_strict_by_time(which: int, share: float) -> None:
    w = world(which)
    events = Events.of(w.log, ROLES)
    cut, times = events.cut(share), sorted(event.time for event in w.events)
    place = math.floor(len(times) * share)
    assert cut == (times[place] if place < len(times) else times[-1] + 1)
    before = [sum(e.user == user and e.time < cut for e in w.events) for user in sorted(w.users)]
    assert (events.before(cut) - events.offsets[:-1]).tolist() == before
    # Ties at the cut all come after it, so never more than the share comes before.
    assert sum(before) <= len(times) * share


@FEW
@given(SEEDS, st.sampled_from([0.25, 0.5, 0.75]), st.integers(0, 20), st.integers(0, 20))
def test_a_window_equals_a_loop(which: int, share: float, first: int, days: int) -> None:
    w = world(which)
    start, stop = START + first * 172800, START + (first + days) * 172800
    found = window(Events.of(w.log, ROLES), start, stop, share)
    expected, offset = [], 0
    for row, user in enumerate(sorted(w.users)):
        own = ordered(w, user)
        old = [event for event in own if event.time < start]
        inside = [event for event in own if start <= event.time < stop]
        if inside:
            end = len(old) + math.floor(len(inside) * share)
            expected.append((row, offset + end, offset + len(old) + len(inside), own[end].time, not old))
        offset += len(own)
    columns = (getattr(found, name).tolist() for name in ("row", "end", "stop", "time", "new"))
    assert list(zip(*columns, strict=True)) == expected


def test_half_of_an_odd_number_is_rounded_down_and_new_users_are_flagged() -> None:
    w = world(0)
    late = [e._replace(user="u6", time=START + 90 * 86400 + n) for n, e in enumerate(w.events[:5])]
    found = window(Events.of(w.keeping((*w.events, *late)).log, ROLES), START + 90 * 86400, 2**40)
    assert found.row.tolist() == [6] and found.new.tolist() == [True]
    assert found.stop - found.end == 3 and found.time.tolist() == [START + 90 * 86400 + 2]


@FEW
@given(SEEDS, st.integers(0, 22))
def test_every_event_before_a_moment_is_a_request(which: int, steps: int) -> None:
    w = world(which)
    stop = START + steps * 172800
    events = Events.of(w.log, ROLES)
    found, everything = every_event(events, events.before(stop)), naive(w, 0)
    places = [place for place, (_, _, time) in enumerate(everything) if time < stop]
    assert found.end.tolist() == places and found.stop.tolist() == [place + 1 for place in places]
    assert found.time.tolist() == [everything[place][2] for place in places]
    first = [place == 0 or everything[place - 1][0] != everything[place][0] for place in places]
    assert found.new.tolist() == first


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_padded_equals_slices(data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(1, 99), max_size=8))
    bounds = st.integers(0, len(values))
    ranges = data.draw(st.lists(st.tuples(bounds, bounds).map(sorted), max_size=4))
    length, newest = data.draw(st.none() | st.integers(0, 5)), data.draw(st.booleans())
    start, stop = (torch.tensor([r[i] for r in ranges], dtype=torch.int64) for i in (0, 1))
    rows = [values[a:b][:: -1 if newest else 1][:length] for a, b in ranges]
    width = length if length is not None else max((b - a for a, b in ranges), default=0)
    found = padded(torch.tensor(values, dtype=torch.int64), start, stop, length, newest)
    assert found.equal(padded_ids(rows, width))


def test_a_behaviour_on_a_column_that_is_not_there_names_the_nearest() -> None:
    roles = replace(ROLES, behaviours={"watch": BehaviourConfig(), "like": BehaviourConfig("ratings >= 4")})
    with pytest.raises(UserError, match=r"no column 'ratings' \(did you mean 'rating'\?\)"):
        Events.of(world(0).log, roles)


def test_a_log_without_events_has_no_requests() -> None:
    w = world(0)
    none = pa.table(
        {"user_id": pa.array([], "string"), "item_id": pa.array([], "string"), "time": pa.array([], "int64")}
    )
    events = Events.of(Log.of(none, w.log.users, w.log.items), SchemaConfig())
    assert (
        len(window(events, 0, events.cut(0.8)))
        == len(every_event(events, events.before(events.cut(1.0))))
        == 0
    )

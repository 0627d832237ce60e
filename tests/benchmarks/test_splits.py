"""Every split against loops over plain rows: what is known, what is asked, what is right."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny_world import world as tiny

from benchmarks.datasets import DatasetConfig
from benchmarks.protocols import CandidatesConfig, ProtocolConfig
from benchmarks.split_configs import FixedSplit, LeaveOneOut, RandomSplit, TimeSplit, WindowSplit
from benchmarks.splits import day
from benchmarks.world import World, by_targets
from zoo.core.errors import UserError
from zoo.data.log import Log
from zoo.data.roles import SchemaConfig
from zoo.data.snapshot import DAY

START = day("2001-01-01")


def rows(seed: int, events: int = 400, users: int = 20) -> list[tuple[str, str, int, int]]:
    """User, item, time within 100 days, published part."""
    draw = np.random.default_rng(seed)
    return [
        (
            f"u{draw.integers(users):02}",
            f"i{draw.integers(30):02}",
            START + int(draw.integers(100)) * DAY + int(draw.integers(5)) * 7,
            int(draw.choice([0, 0, 0, 1, 2])),
        )
        for _ in range(events)
    ]


def make(
    data: list[tuple[str, str, int, int]], split: object, clock: str = "seconds", **options: object
) -> World:
    names = ("user_id", "item_id", "time", "split")
    table = pa.table({name: [row[i] for row in data] for i, name in enumerate(names)})
    candidates = CandidatesConfig(["recall/popular"], cuts=[0.5])
    protocol = ProtocolConfig(candidates, "tiny", split=split, target_task="watch", **options)  # type: ignore[arg-type]
    config = DatasetConfig(SchemaConfig(), canonical="0" * 64, name="tiny", clock=clock)  # type: ignore[arg-type]
    return World(config, protocol, Log.of(table))


def asked(world: World) -> dict[str, tuple[list[str], list[str]]]:
    """By user: the items of the history, oldest first, and those that follow."""
    users, items = world.log.users["user_id"].to_pylist(), world.log.items["item_id"].to_pylist()
    events, found = world.events, {}
    for row, end, stop in zip(
        *(getattr(world.requests, n).tolist() for n in ("row", "end", "stop")), strict=True
    ):
        first = int(events.offsets[row])
        history, answers = events.item[first:end].tolist(), events.item[end:stop].tolist()
        found[users[row]] = tuple([items[item - 1] for item in part] for part in (history, answers))
    return found


def by_user(data: list[tuple[str, str, int, int]]) -> dict[str, list[tuple[str, str, int, int]]]:
    found = defaultdict(list)
    for row in sorted(data, key=lambda row: row[2]):
        found[row[0]].append(row)
    return found


WINDOWS = WindowSplit("windows", 10, ["2001-01-21", "2001-01-31"], ["2001-02-20", "2001-03-02"], earlier=2)


@pytest.mark.parametrize(
    ("window", "fold", "start"), [("test", 0, 50), ("test", 1, 60), ("validation", 0, 20)]
)
def test_a_window_knows_all_before_it_and_asks_for_what_is_in_it(window: str, fold: int, start: int) -> None:
    data = rows(0)
    world = make(data, WINDOWS, window=window, fold=fold)
    begin = START + start * DAY
    assert world.moment.time == begin
    assert int(world.events.known(world.moment.stop).sum()) == sum(row[2] < begin for row in data)
    expected = {}
    for user, own in by_user(data).items():
        inside = [row for row in own if begin <= row[2] < begin + 10 * DAY]
        if inside:
            expected[user] = len([row for row in own if row[2] < begin]) + len(inside) // 2, len(inside)
    found = {user: (len(history), len(after)) for user, (history, after) in asked(world).items()}
    assert found == {user: (size, count - count // 2) for user, (size, count) in expected.items()}
    earlier = [moment.time for moment, _ in world.split.earlier()]
    assert earlier == [begin - 20 * DAY, begin - 10 * DAY]


def test_the_last_event_is_the_test_and_the_one_before_is_for_selection() -> None:
    data = rows(1, events=60)
    for window, back in (("test", 1), ("validation", 2)):
        found = asked(make(data, LeaveOneOut("leave_one_out"), window=window))
        own = {user: events for user, events in by_user(data).items() if len(events) >= 3}
        assert found.keys() == own.keys()
        for user, events in own.items():
            assert (len(found[user][0]), len(found[user][1])) == (len(events) - back, 1)
    few = {user for user, events in by_user(data).items() if len(events) < 3}
    assert few and few.isdisjoint(found)


def test_a_published_split_is_taken_as_it_is() -> None:
    data = rows(2)
    for window, part in (("test", 2), ("validation", 1)):
        found = asked(make(data, FixedSplit("fixed"), clock="none", window=window))
        for user, own in by_user(data).items():
            history = sorted(row[1] for row in own if row[3] < part)
            answers = sorted(row[1] for row in own if row[3] == part)
            if answers:
                assert (sorted(found[user][0]), sorted(found[user][1])) == (history, answers)
            else:
                assert user not in found


def test_a_part_for_selection_can_be_left_alone_in_the_test() -> None:
    data = rows(2)
    found = asked(make(data, FixedSplit("fixed", train_only=True), clock="none"))
    for user, own in by_user(data).items():
        history, answers = (sorted(row[1] for row in own if row[3] == part) for part in (0, 2))
        if answers:
            assert (sorted(found[user][0]), sorted(found[user][1])) == (history, answers)
    chosen = [
        asked(make(data, FixedSplit("fixed", train_only=only), clock="none", window="validation"))
        for only in (False, True)
    ]
    assert chosen[0] == chosen[1]


def test_without_a_published_part_selection_takes_some_of_training_and_none_of_the_test() -> None:
    data = [(u, i, t, 0 if part < 2 else 2) for u, i, t, part in rows(3, events=4000)]
    world = make(data, FixedSplit("fixed", validation=0.25), clock="none", window="validation")
    test = defaultdict(list)
    for user, item, _, part in data:
        if part == 2:
            test[user].append(item)
    found, train = asked(world), sum(row[3] == 0 for row in data)
    answers = sum(len(after) for _, after in found.values())
    assert abs(answers / train - 0.25) < 0.03
    for user, (history, after) in found.items():
        whole = sorted(row[1] for row in data if row[0] == user and row[3] == 0)
        assert sorted(history + after) == whole
    tested = make(data, FixedSplit("fixed", validation=0.25), clock="none")
    assert {user: sorted(after) for user, (_, after) in asked(tested).items()} == {
        u: sorted(v) for u, v in test.items()
    }


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), window=st.sampled_from(["test", "validation"]), parts=st.booleans())
def test_sessions_are_asked_at_every_event_but_the_first(seed: int, window: str, parts: bool) -> None:
    """Against a loop over plain sessions: whole ones are for training, for selection or the test."""
    draw = np.random.default_rng(seed)
    kinds = draw.choice([0, 0, 1, 2] if parts else [0, 0, 2], 12)
    sizes = draw.integers(1, 6, 12)
    data = [
        (f"s{session:02}", f"i{draw.integers(6)}", place, int(kinds[session]))
        for session in range(12)
        for place in range(sizes[session])
    ]
    split = FixedSplit("fixed", validation=0.4, requests="event", repeats=True)
    assume((kinds == 0).any())
    world = make(data, split, clock="order", window=window)
    known = world.events.known(world.moment.stop)
    users, items = world.log.users["user_id"].to_pylist(), world.log.items["item_id"].to_pylist()
    learned = {users[row] for row in world.events.row[known].tolist()}
    chosen = {row[0] for row in data if row[3] == (2 if window == "test" else 1)}
    if window == "validation" and not (kinds == 1).any():
        # Drawn from those for training, each as a whole.
        chosen = {row[0] for row in data if row[3] == 0} - learned
    before = {row[0] for row in data if row[3] < (2 if window == "test" else 1)}
    assert learned == before - chosen
    expected = sorted(
        (session, [row[1] for row in own[:place]], own[place][1])
        for session, own in by_user(data).items()
        if session in chosen
        for place in range(1, len(own))
    )
    requests = world.requests
    rows = [getattr(requests, name).tolist() for name in ("row", "end", "stop")]
    found = []
    for row, end, stop in zip(*rows, strict=True):
        first = int(world.events.offsets[row])
        assert stop == end + 1
        history = [items[item - 1] for item in world.events.item[first:end].tolist()]
        found.append((users[row], history, items[int(world.events.item[end]) - 1]))
    assert sorted(found) == expected
    assert not requests.new.any()
    if expected:
        assert world.targets[:, 0].tolist() == world.events.item[requests.end].tolist()
        assert world.measured.features["seen"].shape == (len(expected), 0)


def test_a_random_split_is_seeded_and_of_the_size_that_was_asked() -> None:
    data = rows(4, events=4000)
    one, same, other = (make(data, RandomSplit("random"), clock="none", tie_seed=seed) for seed in (0, 0, 1))
    assert asked(one) == asked(same) != asked(other)
    answers = sum(len(after) for _, after in asked(one).values())
    assert abs(answers / len(data) - 0.1) < 0.02
    assert one.population()["leaky"] == 1.0 and make(data, TimeSplit()).population()["leaky"] == 0.0


@pytest.mark.parametrize(
    ("split", "clock", "message"),
    [
        (TimeSplit(), "order", "protocol tiny: a time split needs times"),
        (WINDOWS, "none", "protocol tiny: a windows split needs times"),
        (LeaveOneOut("leave_one_out"), "none", "protocol tiny: leave one out needs an order"),
    ],
)
def test_a_split_that_the_data_cannot_have_is_refused(split: object, clock: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(rows(0), split, clock)


def test_a_published_split_that_is_not_there_is_refused() -> None:
    world = tiny()
    protocol = replace(world.protocol, split=FixedSplit("fixed"))
    with pytest.raises(UserError, match="the dataset has no published split, no column 'split'"):
        World(world.config, protocol, world.log)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation": ["2001-02-15"]}, "validation must end before the first window of the test"),
        ({"test": ["2001-2-3"]}, "test and validation must be days such as 2001-05-27, found 2001-2-3"),
        ({"days": 0}, "days must be at least 1"),
        ({"test": []}, "test must name at least one day"),
    ],
)
def test_windows_that_make_no_sense(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(WINDOWS, **options)


def test_a_protocol_of_windows_is_one_for_each() -> None:
    protocol = ProtocolConfig(CandidatesConfig(["recall/popular"]), "w", split=WINDOWS)
    assert [one.label for one in protocol.each] == ["w@1/test-1", "w@1/test-2"]
    assert [one.label for one in replace(protocol, fold=1).each] == ["w@1/test-2"]
    with pytest.raises(ValueError, match="fold must be from 0 to 1, found 2"):
        replace(protocol, fold=2)


def test_requests_by_the_number_of_their_targets() -> None:
    world = make(rows(5), TimeSplit())
    count = (world.targets > 0).sum(1)
    groups = by_targets(world.targets)
    assert sum(int(member.sum()) for member in groups.values()) == int((count > 0).sum())
    assert groups["targets_1_4"].tolist() == [1 <= n <= 4 for n in count.tolist()]

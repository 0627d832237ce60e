"""Counts and rates as of a moment against loops over plain events."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.schema import Feature
from zoo.core.types import Batch
from zoo.data.counter import Counter
from zoo.data.split import Events
from zoo.data.statistics import Statistics
from zoo.data.windows import window_seconds

HOUR, DAY, START = 3600, 86400, 1_000_000_000
WINDOWS = {"7d": 7 * DAY, "1h": HOUR, "all": None, "30d": 30 * DAY, "1d": DAY}
# A base that is every event, a task of all events, and a chain of conditional tasks.
GIVEN = {"click": "watch", "skip": "", "like": "click", "share": "like"}
GENRES = [[], [1, 2], [2], [], [3, 1], [4]]
"""The genres of the items 0 (padding), 1, 2, …; item 3 has none."""
USERS, ITEMS = 4, 5
MANY, FEW = settings(max_examples=60, deadline=None), settings(max_examples=20, deadline=None)


class Row(NamedTuple):
    user: int
    item: int
    time: int
    flags: frozenset[str]

    def holds(self, task: str) -> bool:
        """Whether the event is the task and all that it is given."""
        return not task or (task in self.flags and self.holds(GIVEN.get(task, "")))


# Differences that meet the edges of windows, and many ties.
STEPS = st.sampled_from([0, 0, 1, HOUR - 1, HOUR, DAY - HOUR, DAY, 6 * DAY, 7 * DAY, 23 * DAY, 30 * DAY])
FLAGS = st.frozensets(st.sampled_from(["click", "skip", "like", "share"])).map(lambda f: f | {"watch"})
ROWS = st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(1, ITEMS), STEPS, FLAGS), max_size=25).map(
    lambda rows: [
        Row(user, item, START + sum(r[2] for r in rows[: i + 1]), flags)
        for i, (user, item, _, flags) in enumerate(rows)
    ]
)
SECONDS = st.integers(0, 25).flatmap(lambda n: st.tuples(st.just(n), STEPS, st.sampled_from([-1, 0, 1])))


def moment(rows: Sequence[Row], drawn: tuple[int, int, int]) -> int:
    """A time at, or some step after or before, that of an event."""
    index, step, sign = drawn
    return (rows[index % len(rows)].time if rows else START) + sign * step


def longs(values: Sequence[object]) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


def flagged(rows: Sequence[Row]) -> dict[str, Tensor]:
    names = ("watch", "click", "skip", "like", "share")
    return {name: torch.tensor([name in r.flags for r in rows], dtype=torch.bool) for name in names}


def statistics(rows: Sequence[Row], genres: Sequence[Sequence[int]] = GENRES) -> Statistics:
    columns = (longs([r[i] for r in rows]) for i in range(3))
    events = Events(*columns, offsets=longs([]), flags=flagged(rows))  # No range per user: any order will do.
    table = longs([[*values, 0, 0][:2] for values in genres])
    return Statistics.of(events, list(WINDOWS), GIVEN, {"genres": table, "first_genre": table[:, 0]})


def padded_genres(ids: Sequence[int]) -> list[list[int]]:
    return [[*GENRES[i], 0, 0][:2] for i in ids]


def everything(stats: Statistics, time: int) -> Batch:
    """Every column of every user (one more than there are), item and pair, as of one time."""
    users, items = torch.arange(-1, USERS + 1), torch.arange(ITEMS + 3)
    ids = items.clamp(max=ITEMS)
    batch = stats.user(users, torch.full_like(users, time))
    batch |= stats.item(items, torch.full_like(items, time))
    genres = longs(padded_genres(ids.tolist())).expand(len(users), -1, -1)
    batch |= stats.cross("genres", users, genres, torch.full_like(users, time))
    return batch | stats.cross("first_genre", users, genres[..., 0], torch.full_like(users, time))


def naive_rate(own: Sequence[Row], past: Sequence[Row], task: str) -> float:
    on = GIVEN[task]
    seen = sum(r.holds(on) for r in past)
    prior = sum(r.holds(task) for r in past) / seen if seen else 0.5
    return (sum(r.holds(task) for r in own) + 5 * prior) / (sum(r.holds(on) for r in own) + 5)


def naive_columns(prefix: str, own: Sequence[Row], past: Sequence[Row], time: int, unit: bool) -> Batch:
    """The columns of one key, whose events (repeated where they count twice) are `own`."""
    found = {}
    for name, window in WINDOWS.items():

        def inside(rows: Sequence[Row], window: int | None = window) -> list[Row]:
            return [r for r in rows if r.time < time and (window is None or r.time >= time - window)]

        mean = len(inside(past)) / max(len({r.item for r in past}), 1) if unit else 1
        found[f"{prefix}_count:{name}"] = math.log(1 + len(inside(own)) / (mean or 1))
        for task in GIVEN:
            found[f"{prefix}_rate:{task}:{name}"] = naive_rate(inside(own), past, task)
    return {name: torch.tensor(value) for name, value in found.items()}


def naive_everything(rows: Sequence[Row], time: int) -> Batch:
    past = [r for r in rows if r.time < time]
    users, items = range(-1, USERS + 1), range(ITEMS + 3)

    def shared(user: int, item: int, length: int) -> list[Row]:
        wanted = GENRES[min(item, ITEMS)][:length]
        return [r for r in past if r.user == user for g in GENRES[r.item][:length] if g in wanted]

    kinds = [naive_columns("user", [r for r in past if r.user == u], past, time, False) for u in users]
    batch = {name: torch.stack([columns[name] for columns in kinds]) for name in kinds[0]}
    kinds = [naive_columns("item", [r for r in past if r.item == i], past, time, True) for i in items]
    batch |= {name: torch.stack([columns[name] for columns in kinds]) for name in kinds[0]}
    for prefix, length in (("user_genres", 2), ("user_first_genre", 1)):
        pairs = [naive_columns(prefix, shared(u, i, length), past, time, False) for u in users for i in items]
        batch |= {n: torch.stack([p[n] for p in pairs]).view(len(users), len(items)) for n in pairs[0]}
    return batch


@pytest.mark.parametrize(
    ("window", "seconds"),
    [("30d", 2592000), ("7d", 604800), ("1h", 3600), ("90m", 5400), ("99999d", 8639913600), ("all", None)],
)
def test_a_window_is_read(window: str, seconds: int | None) -> None:
    assert window_seconds(window) == seconds


@pytest.mark.parametrize(
    "window", ["", "30", "d", "0d", "-1d", "1.5d", "7 d", "1w", "123456d", "ALL", 30, None]
)
def test_a_bad_window_is_named_with_what_is_expected(window: str) -> None:
    expected = "a whole number from 1 to 99999 and a unit (30d, 12h, 90m), or all"
    message = re.escape(f"statistics.windows: expected {expected}, found {window!r}")
    with pytest.raises(UserError, match=f"^{message}$"):
        window_seconds(window)


@MANY
@given(ROWS, st.lists(st.tuples(st.integers(-2, 9), SECONDS), max_size=8), st.randoms(), st.booleans())
def test_a_counter_equals_a_loop(
    rows: list[Row], drawn: list[tuple[int, tuple[int, int, int]]], rand: random.Random, far: bool
) -> None:
    # Keys far apart do not fit beside times in 64 bits, and take another way.
    far_apart = 2**60 if far else 1
    asked = [(key, moment(rows, when)) for key, when in drawn]
    rand.shuffle(rows)
    keys = [(r.item - 1) * far_apart if r.item != 3 else -1 for r in rows]
    counter = Counter.of(longs(keys), longs([r.time for r in rows]), flagged(rows))
    assert (counter.ranks is not None) == (max(keys, default=0) >= 2**60)
    query = [min(key * far_apart, 2**63 - 1) if key >= 0 else key for key, _ in asked]
    found = counter.count(longs(query), longs([time for _, time in asked]), WINDOWS.values())
    for name in ("", "watch", "click", "share"):
        expected = [
            [
                sum(
                    key == wanted >= 0
                    and (not name or name in r.flags)
                    and r.time < time
                    and (window is None or r.time >= time - window)
                    for key, r in zip(keys, rows, strict=True)
                )
                for wanted, (_, time) in zip(query, asked, strict=True)
            ]
            for window in WINDOWS.values()
        ]
        assert found[name].tolist() == expected


def test_an_event_at_the_moment_is_not_counted_and_one_at_the_start_of_the_window_is() -> None:
    counter = Counter.of(longs([7, 7, 7, 7]), longs([99, 100, 100, 200]), {})
    assert counter.count(longs([7]), longs([200]), [100, 101, None])[""].tolist() == [[2], [3], [3]]
    assert counter.count(longs([7]), longs([201]), [1, 100])[""].tolist() == [[1], [1]]


def test_key_and_time_broadcast() -> None:
    counter = Counter.of(longs([1, 1, 2]), longs([10, 20, 20]), {})
    found = counter.count(longs([[1, 2, 3]]), longs([[20], [21]]), [None, 5])[""]
    assert found.tolist() == [[[1, 0, 0], [2, 1, 0]], [[0, 0, 0], [1, 1, 0]]]


@pytest.mark.parametrize("highest", [2**43 - 2, 2**43 - 1, 2**43, 2**44, 2**62])
def test_keys_on_either_side_of_63_bits(highest: int) -> None:
    # With 2^19 moments and a flag, keys take 43 bits at most; these would wrap around onto one another.
    flag = torch.tensor([True, True, False, True])
    counter = Counter.of(longs([-1, 1, highest, highest]), longs([0, 0, 2**19 - 2, 5]), {"click": flag})
    assert (counter.ranks is None) == (highest < 2**43 - 1)
    keys = longs([1, highest, 1 + 2**44, 1 - 2**44, highest - 1, 2**63 - 1, -(2**63), -1])
    found = counter.count(keys, torch.full_like(keys, 2**19), [None])
    assert found[""].tolist() == [[1, 2, 0, 0, 0, 0, 0, 0]]
    assert found["click"].tolist() == [[1, 1, 0, 0, 0, 0, 0, 0]]


def test_more_than_64_bits_is_a_clear_error() -> None:
    # Exactly the last that fits: one key, times and flags take 63 bits.
    whole = torch.ones(2, dtype=torch.bool)
    flags = {f"b{i}": whole for i in range(22)}
    time = longs([0, 2**40 - 2])
    fits = Counter.of(longs([0, 0]), time, flags)
    assert fits.count(longs([0]), longs([2**40]), [None, 1])["b21"].tolist() == [[2], [0]]
    flags["one more"] = whole
    message = (
        r"^statistics: 1 keys over 1099511627775 seconds with 23 behaviours are too many to count; leave"
    )
    with pytest.raises(UserError, match=message):
        Counter.of(longs([0, 0]), time, flags)


@MANY
@given(ROWS, SECONDS)
def test_every_column_equals_a_loop(rows: list[Row], drawn: tuple[int, int, int]) -> None:
    time = moment(rows, drawn)
    found, expected = everything(statistics(rows), time), naive_everything(rows, time)
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert values.dtype == torch.float32
        torch.testing.assert_close(values, expected[name], msg=lambda text, name=name: f"{name}: {text}")


@MANY
@given(ROWS, SECONDS)
def test_nothing_changes_when_the_future_is_deleted(rows: list[Row], drawn: tuple[int, int, int]) -> None:
    time = moment(rows, drawn)
    past = [r for r in rows if r.time < time]
    # A catalogue of those items only that were there before, too.
    known = max((r.item for r in past), default=0)
    found = everything(statistics(past, GENRES[: known + 1]), time)
    for name, values in everything(statistics(rows), time).items():
        assert values.equal(found[name]), name


@FEW
@given(ROWS, SECONDS, FLAGS, st.randoms())
def test_neither_file_order_nor_later_labels_matter(
    rows: list[Row], drawn: tuple[int, int, int], flags: frozenset[str], rand: random.Random
) -> None:
    time = moment(rows, drawn)
    expected = everything(statistics(rows), time)
    rows = [r._replace(flags=flags) if r.time >= time else r for r in rows]
    rand.shuffle(rows)
    found = everything(statistics(rows), time)
    assert all(values.equal(found[name]) for name, values in expected.items())


@FEW
@given(ROWS, SECONDS)
def test_a_longer_window_never_counts_less(rows: list[Row], drawn: tuple[int, int, int]) -> None:
    stats, time = statistics(rows), moment(rows, drawn)
    for counter in (stats.overall, stats.users, stats.items, *stats.crosses.values()):
        keys = torch.arange(30)
        longest_first = [None, 30 * DAY, 7 * DAY, DAY, HOUR]
        for counts in counter.count(keys, torch.full_like(keys, time), longest_first).values():
            assert (counts[:-1] >= counts[1:]).all() and (counts >= 0).all()


@FEW
@given(ROWS, SECONDS)
def test_padding_and_unknown_keys_are_neutral(rows: list[Row], drawn: tuple[int, int, int]) -> None:
    stats, now = statistics(rows), longs([moment(rows, drawn)])
    prior = stats.user(longs([-1]), now)
    padding = [
        *(("user", stats.user(longs([row]), now)) for row in (-1, USERS, 10**9)),
        *(("item", stats.item(longs([item]), now)) for item in (-1, 0, ITEMS + 1, 10**9)),
        *(("user_genres", stats.cross("genres", longs([0]), longs([[[i, 0]]]), now)) for i in (-1, 0, 5, 99)),
        ("user_genres", stats.cross("genres", longs([-1]), longs([[[1, 2]]]), now)),
        ("user_genres", stats.cross("genres", longs([10**9]), longs([[[1, 2]]]), now)),
    ]
    for prefix, batch in padding:
        for name, values in batch.items():
            kind = name.removeprefix(f"{prefix}_")
            expected = 0.0 if kind.startswith("count") else float(prior[f"user_{kind}"])
            assert values.flatten().tolist() == [expected], name


@FEW
@given(ROWS, SECONDS, st.integers(0, 6))
def test_candidates_do_not_depend_on_each_other(
    rows: list[Row], drawn: tuple[int, int, int], width: int
) -> None:
    # A few pairs are looked up one by one, many by way of all categories of a user.
    stats, users = statistics(rows), torch.arange(USERS)
    now = torch.full_like(users, moment(rows, drawn)) + torch.arange(USERS) * HOUR
    ids = torch.randint(0, ITEMS + 1, (USERS, width), generator=torch.Generator().manual_seed(width))
    genres = longs(padded_genres(ids.flatten().tolist())).view(USERS, width, 2)
    crossed, listed = stats.cross("genres", users, genres, now), stats.item(ids, now)
    assert all(values.shape == (USERS, width) for values in (crossed | listed).values())
    for k in range(width):
        one = stats.cross("genres", users, genres[:, k : k + 1], now)
        assert all(values[:, 0].equal(crossed[name][:, k]) for name, values in one.items())
        assert all(values.equal(listed[name][:, k]) for name, values in stats.item(ids[:, k], now).items())


def test_an_empty_log_says_nothing() -> None:
    for name, values in everything(statistics([]), START).items():
        assert (values == (0.5 if "_rate:" in name else 0.0)).all(), name


def test_popularity_does_not_drift_as_the_log_grows() -> None:
    # Every day item 1 is seen three times and item 2 once, so their shares stay 3/4 and 1/4 of two items.
    rows = [Row(0, 1 + (n == 3), START + day * DAY + n, frozenset()) for day in range(9) for n in range(4)]
    stats, now = statistics(rows), START + DAY * longs([[1, 8]])
    for window in ("all", "7d", "1d"):
        found = stats.item(longs([[1, 2], [1, 2]]), now[0])[f"item_count:{window}"]
        torch.testing.assert_close(found, torch.tensor([[2.5, 1.5], [2.5, 1.5]]).log())


def test_worked_by_hand() -> None:
    both, click = frozenset({"watch", "click", "like"}), frozenset({"watch", "click"})
    rows = [
        Row(0, 1, START, both),
        Row(0, 2, START + HOUR, click),
        Row(1, 1, START + DAY, frozenset({"watch", "like"})),
    ]
    stats, now = statistics(rows), longs([START + DAY + 1])
    # Three events, two clicks, one like given a click (the like without a click is none).
    user = stats.user(longs([0]), now)
    assert user["user_rate:click:7d"].item() == pytest.approx((2 + 5 * 2 / 3) / (2 + 5))
    assert user["user_rate:like:7d"].item() == pytest.approx((1 + 5 * 1 / 2) / (2 + 5))
    assert user["user_count:1d"].item() == pytest.approx(math.log(1 + 1))
    # Item 1 has genres 1 and 2, which the user met on both items: 2 + 1 times.
    cross = stats.cross("genres", longs([0]), longs([[[1, 2]]]), now)
    assert cross["user_genres_count:all"].item() == pytest.approx(math.log(1 + 3))


def test_features_name_every_column_in_order() -> None:
    stats = statistics([Row(0, 1, START, frozenset())])
    assert [name for name, _, _ in stats.features] == list(everything(stats, START))
    for name, role, of in stats.features:
        assert Feature(name, role, "numeric", of=of).name == name
    by_role = {(role, of) for _, role, of in stats.features}
    assert by_role == {("user", ""), ("item_stat", ""), ("cross", "genres"), ("cross", "first_genre")}
    assert stats.features[0] == ("user_count:7d", "user", "")
    assert ("user_genres_rate:like:30d", "cross", "genres") in stats.features

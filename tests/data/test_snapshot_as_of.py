"""Statistics and features of events as a request sees them, against loops; and that none knows the future."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from tests.world import DAY, ROLES, START, Event, World, ordered, world
from zoo.core.errors import UserError
from zoo.core.types import Batch
from zoo.data import as_of
from zoo.data import snapshot as module
from zoo.data.encode import Encoder
from zoo.data.log import Log
from zoo.data.roles import FeatureConfig, SchemaConfig
from zoo.data.snapshot import Snapshot
from zoo.data.split import Events, Requests, every_event
from zoo.data.store import Store
from zoo.data.values import ages_of
from zoo.data.views import EventView
from zoo.data.windows import StatisticsConfig

WINDOWS = {"2d": 2 * DAY, "6d": 6 * DAY, "all": 2**40}
LENGTH = 4
FULL = replace(
    ROLES,
    statistics=StatisticsConfig([*WINDOWS], cross=["genres", "year"]),
    event={
        "rating": FeatureConfig("categorical"),
        "stars": FeatureConfig("numeric", transform="none", of="rating"),
        "level": FeatureConfig("numeric", bins=2, of="rating"),
        "age": FeatureConfig("numeric", transform="log", of="time"),
        "ago": FeatureConfig("numeric", bins=3, of="time"),
    },
)
CUT = START + 16 * DAY
FEW = settings(max_examples=12, deadline=None)
SEEDS = st.integers(0, 40)
# Every time of the world is a multiple of two days, so that these meet the borders of windows.
STEPS = st.tuples(st.integers(8, 20), st.sampled_from([-1, 0, 1]))
TIMES = STEPS.map(lambda step: START + step[0] * 2 * DAY + step[1])


def at(w: World, cut: int = CUT) -> Snapshot:
    events = Events.of(w.log, FULL)
    past = events.known(events.before(cut))
    known = (events.before(cut) > events.offsets[:-1]).nonzero().squeeze(1)
    return Snapshot.at(w.log, events, Encoder.fit(w.log, FULL, known, past), cut, LENGTH)


def asked(snapshot: Snapshot, time: int) -> Requests:
    """Everybody's request at a time, with all before it as history."""
    row = torch.arange(len(snapshot.events.offsets) - 1)
    end, first = snapshot.events.before(time), snapshot.events.offsets[:-1]
    return Requests(row, end, end, torch.full_like(row, time), end == first)


def everything(snapshot: Snapshot, time: int) -> Batch:
    """All features of everybody's request with all items as candidates."""
    batch = snapshot.requests(asked(snapshot, time))
    assert snapshot.live is not None
    return batch | snapshot.live(batch, torch.arange(10).expand(len(batch["now"]), -1))


def naive(w: World, own: list[Event], time: int, unit: float = 1.0, n_items: int = 0) -> Batch:
    """Count and rate by window of events that are `own`, already repeated where they count twice."""
    past = [e for e in w.events if e.time < time]
    prior = sum(e.rating >= 4 for e in past) / len(past) if past else 0.5
    found = {}
    for name, window in WINDOWS.items():
        inside = [e for e in own if time - window <= e.time < time]
        total = sum(time - window <= e.time for e in past)
        mean = total / n_items if n_items and total else 1
        found[f"count:{name}"] = math.log(1 + len(inside) / mean)
        found[f"rate:like:{name}"] = (sum(e.rating >= 4 for e in inside) + 5 * prior) / (len(inside) + 5)
    return {name: torch.tensor(value) for name, value in found.items()}


@FEW
@given(SEEDS, TIMES)
def test_statistics_of_a_request_equal_a_loop(which: int, time: int) -> None:
    w = world(which)
    snapshot = at(w, min(CUT, time))
    found, past = everything(snapshot, time), [e for e in w.events if e.time < time]
    table = {name: snapshot.catalogue[name].view(10, -1).tolist() for name in ("genres", "year")}
    for row, user in enumerate(sorted(w.users)):
        own = [e for e in past if e.user == user]
        for name, value in naive(w, own, time).items():
            torch.testing.assert_close(found[f"user_{name}"][row], value)
        for item in range(1, 10):
            same = [e for e in past if w.item(e.item) == item]
            for name, value in naive(w, same, time, n_items=len({e.item for e in past})).items():
                torch.testing.assert_close(found[f"item_{name}"][row, item], value)
            for of, values in table.items():
                wanted = set(values[item]) - {0}
                shared = [e for e in own for v in set(values[w.item(e.item)]) & wanted]
                for name, value in naive(w, shared, time).items():
                    torch.testing.assert_close(found[f"user_{of}_{name}"][row, item], value)


@FEW
@given(SEEDS, TIMES)
def test_features_of_events_equal_a_loop(which: int, time: int) -> None:
    w = world(which)
    snapshot = at(w)
    batch, encoder = snapshot.requests(asked(snapshot, time)), snapshot.encoder
    words = {word: place for place, word in enumerate(encoder.vocabularies["event:rating"], 1)}
    for row, user in enumerate(sorted(w.users)):
        past = [e for e in ordered(w, user) if e.time < time]
        for behaviour, events in (("watch", past), ("like", [e for e in past if e.rating >= 4])):
            newest = events[::-1][:LENGTH]
            ages = [time - e.time for e in newest]
            expected = {
                "rating": [words.get(str(int(e.rating)), 0) for e in newest],
                "stars": [e.rating for e in newest],
                "level": [1 + int(np.digitize(e.rating, encoder.edges["event:level"])) for e in newest],
                "age": [math.log(1 + age) for age in ages],
                "ago": [1 + int(np.digitize(age, encoder.edges["event:ago"])) for age in ages],
            }
            for name, values in expected.items():
                found = batch[f"history:{behaviour}:{name}"]
                assert found.shape == (7, LENGTH)
                assert found[row].tolist() == pytest.approx([*values, *[0] * (LENGTH - len(values))]), name


@FEW
@given(SEEDS, TIMES)
def test_deleting_the_future_changes_no_feature(which: int, time: int) -> None:
    w = world(which)
    past = w.keeping([e for e in w.events if e.time < time])
    cut = min(CUT, time)
    now, without = at(w, cut), at(past, cut)
    assert now.schema == without.schema and now.encoder == without.encoder
    expected = everything(without, time)
    for name, values in everything(now, time).items():
        assert values.equal(expected[name]), name


@FEW
@given(SEEDS)
def test_every_event_is_served_as_if_it_were_asked_alone(which: int) -> None:
    snapshot = at(world(which))
    view = EventView(snapshot, history_length=2)
    requests = every_event(snapshot.events, snapshot.stop)
    index = torch.randperm(len(view), generator=torch.Generator().manual_seed(which))[:7]
    found, expected = view.batch(index), snapshot.requests(requests.take(index), 2)
    assert all(found[name].equal(values) for name, values in expected.items())
    assert found["history:like:age"].shape == (7, 2)


def test_statistics_that_are_too_many_to_keep_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, index = at(world(5)), torch.tensor([3, 1, 4])
    kept = EventView(snapshot).batch(index)
    monkeypatch.setattr(as_of, "MOST", 5)
    view = EventView(snapshot)
    assert view._as_of is None  # type: ignore[attr-defined]
    assert all(values.equal(kept[name]) for name, values in view.batch(index).items())


def test_the_schema_has_each_column_with_its_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = at(world(2))
    batch = everything(snapshot, CUT)
    names = {f.name for f in snapshot.schema.having("user", "item_stat", "cross", "event")}
    given_by_both = {name for name in batch if name.startswith(("user_", "item_", "history:"))}
    assert given_by_both - names == {"user_id", "history:watch", "history:like"}
    requests = every_event(snapshot.events, snapshot.stop)
    alone = snapshot.requests(requests) | snapshot.live(  # type: ignore[misc]
        {"now": requests.time, "statistics_key": requests.row}, snapshot.events.item[requests.end, None]
    )
    for feature in snapshot.schema:
        if ":all" in feature.name or ":2d" in feature.name:
            values = alone[feature.name].double().numpy()
            assert (feature.mean, feature.std) == pytest.approx((values.mean(), values.std()), rel=1e-5)
            assert feature.of == next((name for name in ("genres", "year") if name in feature.name), "")
    monkeypatch.setattr(module, "SAMPLE", 10)
    sampled = [at(world(2)).schema["user_count:all"].mean for _ in range(2)]
    assert sampled[0] == sampled[1] != snapshot.schema["user_count:all"].mean


def test_features_of_events_in_the_schema() -> None:
    snapshot = at(world(2))
    found = {f.name: f for f in snapshot.schema.having("event")}
    assert list(found) == [f"history:{b}:{n}" for b in ("watch", "like") for n in FULL.event]
    rating, age, ago = (found[f"history:like:{name}"] for name in ("rating", "age", "ago"))
    assert all(f.of == "like" and f.length == LENGTH and f.request_level for f in (rating, age, ago))
    assert (rating.kind, age.kind, ago.kind, ago.ordered) == ("categorical", "numeric", "categorical", True)
    assert rating.vocab == 1 + len({e.rating for e in world(2).events if e.time < CUT})
    batch = snapshot.requests(asked(snapshot, CUT))
    assert all(int(batch[f.name].max()) < f.vocab for f in found.values() if f.kind == "categorical")
    assert age.mean > 10  # more than a day, as a logarithm of seconds


@pytest.mark.parametrize("pairs", [10**6, 30])
def test_ages_are_learned_from_pairs_of_a_user(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.data.values.PAIRS", pairs)
    monkeypatch.setattr("zoo.data.values.REACH", 2)
    events = world(4).log.events
    user, time = (events[name].to_numpy() for name in ("user", "time"))
    apart = {
        (time[j] - time[j - back])
        for j in range(len(user))
        for back in (1, 2)
        if j >= back and user[j] == user[j - back]
    }
    found = ages_of(events)["time"].to_pylist()
    assert set(found) <= apart
    # All but each user's first event, or those that were drawn and are no first one.
    assert len(found) == len(user) - 6 if pairs > 30 else 15 < len(found) <= 30
    assert found == ages_of(events)["time"].to_pylist()


def state(w: World) -> tuple[Snapshot, Store]:
    snapshot = at(w)
    return snapshot, Store.of(snapshot)


def same(found: Batch, expected: Batch) -> None:
    for name, values in expected.items():
        assert found[name].equal(values), name


@FEW
@given(SEEDS, st.integers(-4, 0))
def test_a_store_says_what_the_snapshot_says(which: int, back: int) -> None:
    w = world(which)
    snapshot, store = state(w)
    time, users = CUT + back * DAY, snapshot.encoder.users
    row = torch.tensor([sorted(w.users).index(user) for user in users])
    end = snapshot.stop[row]
    new = torch.zeros(len(row), dtype=torch.bool)
    expected = snapshot.requests(Requests(row, end, end, torch.full_like(row, time), new))
    found = store.request(users, time=time).features
    assert found.keys() == expected.keys() | {"seen"}
    same(found, expected)
    ids = torch.arange(10).expand(len(row), -1)
    assert store.live is not None and snapshot.live is not None
    same(store.live(found, ids), snapshot.live(expected, ids))


def test_a_store_counts_nothing_after_its_snapshot() -> None:
    w = world(7)
    later = at(w.keeping([e for e in w.events if e.time < CUT]))
    users = later.encoder.users
    ours = state(w)[1].request(users, time=CUT + 9 * DAY).features
    same(ours, Store.of(later).request(users, time=CUT + 9 * DAY).features)


def test_by_default_a_request_comes_one_second_after_the_newest_event() -> None:
    snapshot, store = state(world(5))
    users = store.encoder.users
    last = store.users["last"][1:]
    found = store.request(users).features
    assert found["now"].equal(last + 1) and found["history:watch:age"][:, 0].tolist() == pytest.approx(
        [math.log(2)] * len(users)
    )
    row = found["statistics_key"]
    same(found, snapshot.statistics.user(row, last + 1))  # type: ignore[union-attr]


def test_a_bare_history_is_a_new_user_to_statistics() -> None:
    _, store = state(world(5))
    known = store.encoder.users[0]
    found = store.request([known, known, "nobody", None], [["i1", "i2"], None, None, ["i3"]]).features
    key = found["statistics_key"]
    assert key.tolist() == [-1, key[1].item(), -1, -1] and key[1] >= 0
    overall = store.rates["like"]
    for row in (0, 2, 3):
        assert found["now"][row] == store.statistics.overall.stop  # type: ignore[union-attr]
        assert all(found[f"user_count:{name}"][row] == 0 for name in WINDOWS)
        assert found["user_rate:like:all"][row].item() == pytest.approx(overall)
        assert not any(
            x[row].any() for name, x in found.items() if name.count(":") == 2 and "history" in name
        )
    assert found["user_count:all"][1] > 0 and found["history:watch:stars"][1].any()


def test_files_hold_the_counters(tmp_path: Path) -> None:
    _, store = state(world(5))
    store.save(tmp_path)
    loaded = Store.load(tmp_path)
    users = [*store.encoder.users, None]
    for time in (None, CUT + DAY):
        ours, theirs = (one.request(users, time=time).features for one in (store, loaded))
        same(theirs, ours)
        ids = torch.arange(10).expand(len(users), -1)
        same(loaded.live(theirs, ids), store.live(ours, ids))  # type: ignore[misc]
    assert sum(x.numel() for x in load_file(tmp_path / "statistics.safetensors").values()) < 9 * 60


@pytest.mark.parametrize("damage", [lambda b: b[:-20], lambda b: b"", lambda b: None])
def test_damaged_counters_are_one_line(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    state(world(5))[1].save(tmp_path)
    file = tmp_path / "statistics.safetensors"
    whole = damage(file.read_bytes())
    file.unlink()
    if whole is not None:
        file.write_bytes(whole)
    with pytest.raises(UserError, match=rf"^{tmp_path}: no saved encoders \(.*\)$"):
        Store.load(tmp_path)


def test_counters_without_their_facts_are_one_line(tmp_path: Path) -> None:
    state(world(5))[1].save(tmp_path)
    facts = json.loads((tmp_path / "store.json").read_text())
    del facts["statistics"]["counters"]["items"]
    (tmp_path / "store.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match=r"no saved encoders \('items'\)$"):
        Store.load(tmp_path)


def test_a_store_without_statistics_is_as_it_was(tmp_path: Path) -> None:
    Store.of(world(5).snapshot(CUT)).save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "catalogue.safetensors",
        "encoder.json",
        "store.json",
        "users.safetensors",
    }
    encoder = json.loads((tmp_path / "encoder.json").read_text())
    for part in ("event", "statistics"):  # which an older version did not write
        del encoder["roles"][part]
    (tmp_path / "encoder.json").write_text(json.dumps(encoder))
    loaded = Store.load(tmp_path)
    assert loaded.statistics is None and loaded.live is None and loaded.encoder.roles == ROLES
    assert "now" not in loaded.request([None]).features


def test_json_holds_all_of_an_encoder() -> None:
    encoder = at(world(1)).encoder
    assert Encoder.from_json(encoder.to_json()) == encoder


def test_a_log_without_users_counts_nothing_for_its_one_row() -> None:
    table = pa.table({"item_id": ["a", "b", "a"], "time": [START, START + 1, START + 2]})
    roles = SchemaConfig(statistics=StatisticsConfig(["all"]))
    log = Log.of(table)
    events = Events.of(log, roles)
    snapshot = Snapshot.at(log, events, Encoder.fit(log, roles, torch.tensor([0])), START + 9)
    batch = EventView(snapshot).batch(torch.arange(3))
    assert batch["statistics_key"].tolist() == [-1] * 3 and not batch["user_count:all"].any()
    found = snapshot.live(batch, torch.tensor([[1, 2]] * 3))  # type: ignore[misc]
    assert (found["item_count:all"] > 0).tolist() == [[False, False], [True, False], [True, True]]
    assert Store.of(snapshot).request([""]).features["statistics_key"].tolist() == [-1]

"""Requests from raw ids and raw histories, against the snapshot they were taken from."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import DAY, ROLES, START, ordered, world
from zoo.core.errors import UserError
from zoo.data.encode import Encoder
from zoo.data.roles import FeatureConfig
from zoo.data.snapshot import Snapshot
from zoo.data.split import Requests
from zoo.data.store import Store

CUT = START + 24 * DAY
W = world(5)
STORE = Store.of(W.snapshot(CUT))
KNOWN = STORE.encoder.users


def one(history: object = None, user: str | None = None, **profile: object) -> dict[str, torch.Tensor]:
    return STORE.request([user], [history], {name: [value] for name, value in profile.items()}).features


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 40))
def test_a_known_user_is_served_as_the_snapshot_says(which: int) -> None:
    w = world(which)
    snapshot = w.snapshot(CUT)
    found = Store.of(snapshot).request(snapshot.encoder.users).features
    row = torch.tensor([sorted(w.users).index(user) for user in snapshot.encoder.users])
    end = snapshot.events.before(CUT)[row]
    last = snapshot.events.time[end - 1]
    expected = snapshot.requests(Requests(row, end, end, last, torch.zeros(len(row), dtype=torch.bool)))
    assert found.keys() == expected.keys() | {"seen"}
    assert all(found[name].equal(expected[name]) for name in expected)
    for user, seen in zip(snapshot.encoder.users, found["seen"].tolist(), strict=True):
        past = [w.item(event.item) for event in ordered(w, user) if event.time < CUT]
        assert [item for item in seen if item] == past[::-1]


def test_a_store_of_an_earlier_moment_keeps_the_encoders_order_of_users() -> None:
    early = START + 2 * DAY
    snapshot = Snapshot.at(W.log, W.snapshot(CUT).events, W.encoder(CUT), early, 6)
    store = Store.of(snapshot)
    for user in KNOWN:
        request = store.request([user]).features
        past = [W.item(event.item) for event in ordered(W, user) if event.time < early]
        assert request["seen"][request["seen"] > 0].tolist() == past[::-1]
        assert request["user_id"].tolist() == [1 + KNOWN.index(user)]
        assert bool(request["hour"].item()) == bool(past)


def test_the_gap_is_the_time_since_the_newest_event() -> None:
    own = [event for event in ordered(W, KNOWN[0]) if event.time < CUT]
    found = STORE.request([KNOWN[0]], time=own[-1].time + 7200).features
    assert (
        found["gap"].item() == pytest.approx(math.log(7201)) and found["hour"].item() == 4
    )  # 1:46 and two hours, from 1
    assert STORE.request([None], time=START).features["hour"].item() == 1 + START // 3600 % 24


@pytest.mark.parametrize("user", [None, "nobody", "", "u6", 0])
def test_an_unknown_user_is_new(user: str | None) -> None:
    found = one(user=user)
    empty = ("user_id", "age", "job", "hour", "weekday", "history:watch", "history:like", "seen", "gap")
    assert not any(found[name].any() for name in (*empty, "history_size"))
    assert found["user_rate:like"].item() == pytest.approx(STORE.rates["like"])


def test_a_user_id_may_be_a_number() -> None:
    encoder = Encoder(ROLES, STORE.encoder.items, ("0", "7"), STORE.encoder.vocabularies, STORE.encoder.edges)
    store = replace(STORE, encoder=encoder)
    assert store.request([0, 7, 8]).features["user_id"].tolist() == [1, 2, 0]


def test_a_history_takes_the_place_of_what_is_known() -> None:
    found = one(["i3", "never heard of", "i1"], KNOWN[0])
    ids = [W.item("i3"), W.item("i1")]
    assert found["history:watch"].tolist() == [[*ids, 0, 0, 0, 0]] and found["seen"][0, :3].tolist() == [
        *ids,
        0,
    ]
    assert not found["history:like"].any() and found["user_id"].tolist() == [1]
    assert found["history_size"].item() == pytest.approx(math.log(3)) and found["gap"].item() == 0
    assert found["user_rate:like"].item() == pytest.approx(5 * STORE.rates["like"] / 7)


def test_a_long_history_is_cut_but_all_of_it_is_seen() -> None:
    raw = [f"i{n % 9}" for n in range(100)]
    found = one(raw)
    assert found["history:watch"].tolist() == [[W.item(item) for item in raw[:6]]]
    assert found["seen"].tolist() == [[W.item(item) for item in raw]]


def test_a_history_by_behaviour_watches_what_it_likes() -> None:
    i1, i2, i3 = map(W.item, ("i1", "i2", "i3"))
    found = one({"watch": ["i1", "i2"], "like": ["i2", "i3"]})
    assert found["history:watch"][0, :4].tolist() == [i1, i2, i3, 0] and found["seen"][0, :4].tolist() == [
        i1,
        i2,
        i3,
        0,
    ]
    assert found["history:like"][0, :3].tolist() == [i2, i3, 0]
    assert one({"like": ["i2"]})["user_rate:like"].item() <= 1


def test_an_empty_history_is_that_of_a_new_user_and_none_keeps_what_is_known() -> None:
    assert all(one([])[name].equal(one()[name]) for name in one())
    assert one(None, KNOWN[0])["history:watch"].any() and not one([], KNOWN[0])["history:watch"].any()


def test_a_row_of_many_equals_the_row_alone() -> None:
    users, histories = [KNOWN[1], None, KNOWN[0]], [None, ["i1"], ["i5", "i2"]]
    together = STORE.request(users, histories).features
    for row, (user, history) in enumerate(zip(users, histories, strict=True)):
        alone = one(history, user)
        assert all(together[name][row].equal(alone[name][0]) for name in alone)


def test_a_profile_takes_the_place_of_what_is_known() -> None:
    config, before = ROLES.user["age"], one(user=KNOWN[0])
    found = one(user=KNOWN[0], age=11)
    assert found["age"].equal(STORE.encoder.encode("age", config, [11])) and found["job"].equal(before["job"])
    assert one(user=KNOWN[0], age=None)["age"].item() == 0


def test_a_profile_goes_by_the_name_of_its_column() -> None:
    roles = replace(ROLES, user={"years": FeatureConfig("numeric", bins=2, of="age")})
    encoder = Encoder.fit(W.log, roles, torch.arange(6))
    store = Store.of(Snapshot.at(W.log, W.snapshot(CUT).events, encoder, CUT, 6))
    assert store.request([None, None], None, {"age": [1, 99]}).features["years"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: one(agee=3), r"profile: unknown column 'agee' \(did you mean 'age'\?\)"),
        (lambda: one({"wach": []}), r"history: unknown behaviour 'wach' \(did you mean 'watch'\?\)"),
        (lambda: one("i1"), "history: expected a list of item ids, found 'i1'"),
        (lambda: one({"like": "i1"}), "history: expected a list of item ids, found 'i1'"),
        (lambda: one(age="old"), "age: expected a number, found 'old'"),
    ],
)
def test_a_mistake_is_one_line(call: Callable[[], object], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}$"):
        call()


def test_files_hold_all_of_it(tmp_path: Path) -> None:
    STORE.save(tmp_path / "deep" / "folder")
    loaded = Store.load(tmp_path / "deep" / "folder")
    assert (loaded.encoder, loaded.rates, loaded.history_length) == (STORE.encoder, STORE.rates, 6)
    for name in ("catalogue", "users"):
        ours, theirs = getattr(STORE, name), getattr(loaded, name)
        assert ours.keys() == theirs.keys() and all(ours[key].equal(theirs[key]) for key in ours)


@pytest.mark.parametrize("file", ["encoder.json", "store.json", "users.safetensors", "catalogue.safetensors"])
def test_a_damaged_or_missing_file_is_one_line(tmp_path: Path, file: str) -> None:
    STORE.save(tmp_path)
    whole = (tmp_path / file).read_bytes()
    for damage in (whole[:-20], b"", b"[]", None):
        (tmp_path / file).unlink(missing_ok=True)
        if damage is not None:
            (tmp_path / file).write_bytes(damage)
        with pytest.raises(UserError, match=rf"^{tmp_path}: no saved encoders \(.*\)$"):
            Store.load(tmp_path)
    (tmp_path / file).write_bytes(whole)
    facts = json.loads((tmp_path / "store.json").read_text())
    (tmp_path / "store.json").write_text(json.dumps(facts | {"colour": 1}))
    with pytest.raises(UserError, match="colour"):
        Store.load(tmp_path)

"""`zoo.data.log`: the canonical form, its checks, and a hash that only the contents can change."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.core.errors import UserError
from zoo.data.log import Log

EVENTS = {
    "rating": [4.0, 2.5, 5.0],
    "item_id": ["7", "7", "10"],
    "user_id": ["b", "a", "a"],
    "time": [3, 2, 1],
}
USERS = {"user_id": ["b", "a"], "age": [30, 41]}
ITEMS = {"item_id": ["7", "10"], "title": ["Café", ""], "genres": [["Drama", "War"], []]}


def make(events=EVENTS, users=USERS, items=ITEMS) -> Log:
    return Log.of(pa.table(events), pa.table(users), pa.table(items))


def test_columns_are_typed_and_in_fixed_order():
    log = make()
    assert [(field.name, str(field.type)) for field in log.events.schema] == [
        ("user", "int32"),
        ("item", "int32"),
        ("time", "int64"),
        ("rating", "float"),
    ]
    assert log.users.column_names == ["user_id", "age"]
    assert log.items.column_names == ["item_id", "genres", "title"]
    assert log.items.schema.field("genres").type == pa.list_(pa.string())


def test_events_are_sorted_by_user_and_time_and_name_rows():
    log = make()
    assert log.events.select(["user", "item", "time"]).to_pylist() == [
        {"user": 0, "item": 0, "time": 1},
        {"user": 0, "item": 1, "time": 2},
        {"user": 1, "item": 1, "time": 3},
    ]
    assert log.events["rating"].to_pylist() == [5.0, 2.5, 4.0]
    assert log.users["user_id"].to_pylist() == ["a", "b"] and log.items["item_id"].to_pylist() == ["10", "7"]
    assert log.users["age"].to_pylist() == [41, 30]


def test_hash_is_the_sha256_of_the_canonical_bytes():
    """Against bytes written out by hand with `struct`, so that no library can shift the hash."""

    def text(*values):
        lengths = [len(value.encode()) for value in values]
        head = b"string:" + f"i4:{len(values)}:".encode()
        return head + struct.pack(f"<{len(values)}i", *lengths) + "".join(values).encode()

    expected = b"".join(
        [
            b"events.user:i4:3:" + struct.pack("<3i", 0, 0, 1),
            b"events.item:i4:3:" + struct.pack("<3i", 0, 1, 1),
            b"events.time:i8:3:" + struct.pack("<3q", 1, 2, 3),
            b"events.rating:f4:3:" + struct.pack("<3f", 5.0, 2.5, 4.0),
            b"users.user_id:" + text("a", "b"),
            b"users.age:i8:2:" + struct.pack("<2q", 41, 30),
            b"items.item_id:" + text("10", "7"),
            b"items.genres:list:i4:2:" + struct.pack("<2i", 0, 2) + text("Drama", "War"),
        ]
    )
    assert make().sha256() == hashlib.sha256(expected).hexdigest()


def test_hash_leaves_titles_out():
    assert make(items=ITEMS | {"title": ["Cafe", "?"]}).sha256() == make().sha256()


@pytest.mark.parametrize(
    "change",
    [
        {"events": EVENTS | {"rating": [4.0, 2.5, 4.5]}},
        {"events": EVENTS | {"time": [3, 2, 2]}},
        {"events": {key: value[:2] for key, value in EVENTS.items()}},
        {"users": USERS | {"age": [30, 42]}},
        {"users": USERS | {"zip": ["1", "2"]}},
        {"items": ITEMS | {"genres": [["Drama"], ["War"]]}},
        {"items": ITEMS | {"genres": [["Dram", "aWar"], []]}},
    ],
)
def test_hash_sees_every_change(change):
    assert make(**change).sha256() != make().sha256()


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(6)), cut=st.integers(0, 6), wide=st.booleans())
def test_hash_ignores_row_order_chunks_and_widths(order, cut, wide):
    rows = {
        "user_id": list("aaabbb"),
        "item_id": ["1", "2", "3"] * 2,
        "time": np.arange(6, dtype=np.int64 if wide else np.int16),
        "rating": np.arange(6, dtype=np.float64 if wide else np.float32),
    }
    users, items = pa.table({"user_id": ["a", "b"]}), pa.table({"item_id": ["1", "2", "3"]})
    table = pa.table(rows)
    shuffled = table.take(list(order))
    chunked = pa.concat_tables([shuffled.slice(0, cut), shuffled.slice(cut)])
    assert Log.of(chunked, users, items).sha256() == Log.of(pa.table(rows), users, items).sha256()


def test_bare_constructor_of_sliced_and_chunked_tables_hashes_the_same():
    log = make()
    twice = pa.concat_tables([log.items, log.items])
    parts = pa.concat_tables([twice.slice(2, 1), twice.slice(3, 1)])
    assert Log(log.events, log.users, parts).sha256() == log.sha256()


def test_whole_number_ids_become_text_and_an_empty_log_is_a_log():
    log = make({"user_id": [1], "item_id": [2], "time": [0]}, {"user_id": [1]}, {"item_id": [2]})
    assert log.users["user_id"].to_pylist() == ["1"] and log.events["user"].to_pylist() == [0]
    keys = pa.schema({"user_id": pa.string(), "item_id": pa.string(), "time": pa.int64()}).empty_table()
    empty = Log.of(keys, keys.select(["user_id"]), keys.select(["item_id"]))
    assert len(empty.sha256()) == 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"events": {"user_id": ["a"], "item_id": ["7"]}},
            "events: no column 'time'",
        ),
        ({"events": EVENTS | {"time": [1, 2, None]}}, "events.time: row 3 is empty, expected a value"),
        ({"events": EVENTS | {"time": [1, 2.5, 3]}}, "events.time: expected int64"),
        ({"events": EVENTS | {"time": ["1", "2", "x"]}}, "events.time: expected int64"),
        ({"users": USERS | {"user_id": ["a", "c"]}}, "events.user_id: 'b' is not in users"),
        ({"items": ITEMS | {"item_id": ["7", "11"]}}, "events.item_id: '10' is not in items"),
        ({"users": {"user_id": ["b", "a", "a"]}}, "users: user_id 'a' is there twice"),
        ({"users": {"id": ["b", "a"]}}, "users: no column 'user_id', found id"),
        ({"items": ITEMS | {"genres": [["Drama", None], []]}}, "items.genres: a list holds an empty value"),
    ],
)
def test_a_mistake_names_its_table_column_and_row(change, message):
    with pytest.raises(UserError) as error:
        make(**change)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_what_is_not_known_is_null_and_changes_the_hash():
    log = make(EVENTS | {"rating": [1.0, float("nan"), None]})
    assert log.events["rating"].to_pylist() == [None, None, 1.0]
    assert log.sha256() != make(EVENTS | {"rating": [1.0, 0.0, 0.0]}).sha256()
    assert make(items=ITEMS | {"genres": [None, ["War"]]}).items["genres"].to_pylist() == [["War"], []]


def test_ids_without_a_row_get_one_if_that_is_wanted():
    log = Log.of(pa.table(EVENTS), pa.table({"user_id": ["b"], "age": [30]}), strict=False)
    assert log.users.to_pylist() == [{"user_id": "a", "age": None}, {"user_id": "b", "age": 30}]
    assert log.items.to_pylist() == [{"item_id": "10"}, {"item_id": "7"}]


def test_a_table_of_rows_has_one_user_and_one_item():
    log = Log.of(pa.table({"time": [0, 0], "click": [True, False]}))
    assert log.users.to_pylist() == [{"user_id": ""}] and log.items.to_pylist() == [{"item_id": ""}]
    assert log.events["click"].to_pylist() == [1, 0]


def test_events_of_one_time_come_in_the_order_given():
    rows = {"user_id": ["a"] * 50, "item_id": [f"{n:02}" for n in range(50)], "time": [7] * 50}
    shuffled = np.random.default_rng(0).permutation(50)
    log = Log.of(pa.table(rows | {"order": np.arange(50)}).take(shuffled))
    assert log.events["item"].to_pylist() == [*range(50)]
    hashed = Log.of(pa.table(rows).take(shuffled))
    assert hashed.events["item"].to_pylist() != [*range(50)]
    assert hashed.events["item"].to_pylist() == Log.of(pa.table(rows)).events["item"].to_pylist()
    other = hashed.with_ties(1)
    assert other.events["item"].to_pylist() != hashed.events["item"].to_pylist()
    assert hashed.with_ties(0) is hashed


def test_the_same_pair_at_two_times_is_two_events():
    again = {"user_id": "a", "item_id": "7", "time": 9, "rating": 1.0}
    log = make({key: [*value, again[key]] for key, value in EVENTS.items()})
    assert log.events.num_rows == 4

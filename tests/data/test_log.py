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
        ("user_id", "string"),
        ("item_id", "string"),
        ("time", "int64"),
        ("rating", "float"),
    ]
    assert log.users.column_names == ["user_id", "age"]
    assert log.items.column_names == ["item_id", "genres", "title"]
    assert log.items.schema.field("genres").type == pa.list_(pa.string())


def test_rows_are_sorted_by_their_keys():
    log = make()
    assert log.events.select(["user_id", "item_id"]).to_pylist() == [
        {"user_id": "a", "item_id": "10"},
        {"user_id": "a", "item_id": "7"},
        {"user_id": "b", "item_id": "7"},
    ]
    assert log.events["rating"].to_pylist() == [5.0, 2.5, 4.0]
    assert log.users["age"].to_pylist() == [41, 30]


def test_hash_is_the_sha256_of_the_canonical_bytes():
    """Against bytes written out by hand with `struct`, so that no library can shift the hash."""

    def text(*values):
        lengths = [len(value.encode()) for value in values]
        head = b"string:" + f"i4:{len(values)}:".encode()
        return head + struct.pack(f"<{len(values)}i", *lengths) + "".join(values).encode()

    expected = b"".join(
        [
            b"events.user_id:" + text("a", "a", "b"),
            b"events.item_id:" + text("10", "7", "7"),
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
    assert log.events["user_id"].to_pylist() == ["1"]
    keys = pa.schema({"user_id": pa.string(), "item_id": pa.string(), "time": pa.int64()}).empty_table()
    empty = Log.of(keys, keys.select(["user_id"]), keys.select(["item_id"]))
    assert len(empty.sha256()) == 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"events": {"user_id": ["a"], "item_id": ["7"]}},
            "events: no column 'time', found user_id, item_id",
        ),
        ({"events": EVENTS | {"time": [1, 2, None]}}, "events.time: row 3 is None, expected a value"),
        ({"events": EVENTS | {"rating": [1.0, float("nan"), 2.0]}}, "events.rating: row 2 is nan"),
        ({"events": EVENTS | {"time": [1, 2.5, 3]}}, "events.time: expected int64"),
        ({"events": EVENTS | {"time": ["1", "2", "x"]}}, "events.time: expected int64"),
        ({"users": USERS | {"user_id": ["a", "c"]}}, "events.user_id: 'b' is not in users"),
        ({"items": ITEMS | {"item_id": ["7", "11"]}}, "events.item_id: '10' is not in items"),
        ({"users": USERS | {"user_id": ["a", "a"]}}, "users: user_id 'a' is there twice"),
        ({"items": ITEMS | {"genres": [["Drama", None], []]}}, "items.genres: a list holds an empty value"),
    ],
)
def test_a_mistake_names_its_table_column_and_row(change, message):
    with pytest.raises(UserError) as error:
        make(**change)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_an_event_twice_is_a_mistake():
    twice = {key: [*value, value[1]] for key, value in EVENTS.items()}
    with pytest.raises(UserError, match=r"^events: user_id 'a', item_id '7', time 2 is there twice$"):
        make(twice)


def test_the_same_pair_at_two_times_is_two_events():
    again = {"user_id": "a", "item_id": "7", "time": 9, "rating": 1.0}
    log = make({key: [*value, again[key]] for key, value in EVENTS.items()})
    assert log.events.num_rows == 4

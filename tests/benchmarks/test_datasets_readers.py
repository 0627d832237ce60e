"""`benchmarks.datasets.readers`: each published form gives the same log, and a bad row is named."""

from __future__ import annotations

import pytest
from tiny_movielens import ATOMIC, CANONICAL, FOLDER, PUBLISHED, URL, config, failure, write

from benchmarks.datasets.readers import Opened, reader
from benchmarks.datasets.readers.films import split_title
from zoo.core.errors import UserError
from zoo.data.log import Log


def movielens_100k(files: Opened) -> Log:
    return Log.of(**reader("movielens_100k")(files))


def recbole_ml_100k(files: Opened) -> Log:
    return Log.of(**reader("recbole_ml_100k")(files))


def test_both_published_forms_give_the_same_tables():
    published, atomic = movielens_100k(PUBLISHED), recbole_ml_100k(ATOMIC)
    assert published.sha256() == atomic.sha256()
    assert published.events.equals(atomic.events)
    assert published.users.equals(atomic.users)
    assert published.items.drop_columns("title").equals(atomic.items.drop_columns("title"))


def test_tables_are_what_the_rows_say():
    log = movielens_100k(PUBLISHED)
    assert log.items.to_pylist() == [
        {"item_id": "1", "genres": ["Animation", "Children's", "Comedy"], "title": "Toy Story", "year": 1995},
        {"item_id": "1412", "genres": ["Sci-Fi"], "title": "Long Time, A", "year": 1995},
        {"item_id": "267", "genres": [], "title": "unknown", "year": None},
        {"item_id": "9", "genres": ["Film-Noir", "War"], "title": "Né\x85e (Born 1900)", "year": 1966},
    ]
    assert log.users.to_pylist()[1] == {
        "user_id": "2",
        "age": 36,
        "gender": "F",
        "occupation": "other",
        "zip_prefix": "T",
    }
    # Rows of the tables above: user 1 is the first of them, film 267 the third and 1412 the second.
    assert log.events.to_pylist()[:2] == [
        {"user": 0, "item": 2, "time": 878887116, "rating": 4.0},
        {"user": 0, "item": 1, "time": 878887117, "rating": 5.0},
    ]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Heat (1995)", ("Heat", 1995)),
        ("2001 (1968)", ("2001", 1968)),
        ("Seven (Se7en) (1995)", ("Seven (Se7en)", 1995)),
        ("unknown", ("unknown", None)),
    ],
)
def test_split_title(title, expected):
    assert split_title(title) == expected


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("u.data", b"\t881250949", b"", "u.data:1: 3 columns, expected 4"),
        ("u.data", b"4\t878887116", b"x\t878887116", "u.data:2: rating is 'x', expected a number"),
        ("u.data", b"878887116", b"8788.5", "u.data:2: time is '8788.5', expected whole seconds"),
        ("u.user", b"|36|", b"||", "u.user:2: age is '', expected a whole number"),
        ("u.item", b"|0|0|0|1|", b"|0|0|0|2|", "u.item:1: Animation is '2', expected 0 or 1"),
        ("u.data", b"2\t1\t3", b"3\t1\t3", "events.user_id: '3' is not in users"),
    ],
)
def test_a_bad_row_is_named(tmp_path, monkeypatch, name, old, new, message):
    write(tmp_path / "ml-100k", PUBLISHED | {name: PUBLISHED[name].replace(old, new, 1)})
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    assert message in failure(config(FOLDER, URL), tmp_path / "cache")


def test_a_byte_that_is_no_utf8_is_named():
    with pytest.raises(UserError, match=r"^ml-100k\.item:3: byte 0xe9 is not utf-8$"):
        recbole_ml_100k(ATOMIC | {"ml-100k.item": ATOMIC["ml-100k.item"].replace(b"unkonwn", b"\xe9", 1)})


def test_windows_line_ends_change_nothing():
    files = {name: data.replace(b"\n", b"\r\n") for name, data in ATOMIC.items()}
    assert recbole_ml_100k(files).sha256() == CANONICAL

"""`guessing.guess`: from files to a config that reads them, with the evidence beside each."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.datasets.acquire import acquire
from benchmarks.datasets.config import DatasetConfig, load_config
from benchmarks.datasets.guessing.guess import guess
from zoo.core.errors import UserError
from zoo.core.yaml import parse

T = 1_588_327_445
RANDOM = random.Random(7)
ROWS = 400


def events(**columns: Callable[[int], Any]) -> list[dict[str, Any]]:
    """Rows of 40 users and 60 items, in random order."""
    users = [f"u{RANDOM.randrange(40)}" for _ in range(ROWS)]
    items = [RANDOM.randrange(60) for _ in range(ROWS)]
    return [
        {
            name: make(at)
            for name, make in ({"uid": users.__getitem__, "sku": items.__getitem__} | columns).items()
        }
        for at in range(ROWS)
    ]


def text_of(rows: list[dict[str, Any]], separator: str = ",", header: bool = True) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), delimiter=separator, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def guessed(folder: Path, files: dict[str, bytes | str]) -> tuple[str, DatasetConfig]:
    """The text and what it says, after the log has been read with it."""
    for name, data in files.items():
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    text = guess([folder / name for name in files])
    assert parse(text, "guess").get("sources").plain() == [{"kind": "folder", "at": str(folder)}]
    path = folder / "guess.yaml"
    path.write_text(text)
    config = load_config(path)
    log = acquire(config)
    assert log.events.num_rows > 0
    return text, config


def line_of(text: str, start: str) -> str:
    return next(line.strip() for line in text.splitlines() if line.strip().startswith(start))


def test_a_wide_log_with_items(tmp_path):
    flag = [RANDOM.random() < 0.3 for _ in range(ROWS)]
    rows = events(
        ts=lambda at: T * 1000 + at * 7001,
        rank=lambda at: at % 10,
        pscore=lambda at: 0.01 + at % 7 / 100,
        is_click=lambda at: int(flag[at]),
        is_like=lambda at: int(flag[at] and at % 2),
        hate=lambda at: int(at % 50 == 0),
        play_ms=lambda at: at * 911,
        duration_ms=lambda at: 1000 + at * 1013,
        device=lambda at: ["phone", "tablet"][at % 2],
        **{"Bid Price": lambda at: at / 7},
    )
    items = [
        {"sku": at, "name": f"Café {at}; x", "brand": f"b{at % 5}", "price": at * 1.5, "tags": f"a|b{at % 3}"}
        for at in range(60)
    ]
    files = {"clicks.csv": text_of(rows, ";"), "products.csv": text_of(items, ";").encode("latin-1")}
    text, config = guessed(tmp_path, files)
    assert config.events and config.items and not config.users
    assert config.events.columns == {
        "user_id": "uid",
        "item_id": "sku",
        "time": "ts",
        "position": "rank",
        "propensity": "pscore",
        "bid_price": "Bid Price",
    }
    assert (config.events.separator, config.events.time, config.clock) == (";", "milliseconds", "seconds")
    assert (
        line_of(text, "time: mill") == "time: milliseconds  # all 400 sampled values look like milliseconds"
    )
    assert line_of(text, "separator: ") == 'separator: ";"  # 100% of the first lines have 12 cells'
    assert line_of(text, "user_id: ") == "user_id: uid  # by its name; 40 distinct values in 400 rows"
    assert (config.items.encoding, config.items.lists) == ("latin-1", {"tags": "|"})
    assert line_of(text, "encoding: ") == "encoding: latin-1  # ? byte 0xe9 is not utf-8, line 2"
    assert config.items.columns == {"item_id": "sku", "title": "name"}
    assert {name: feature.kind for name, feature in config.schema.item.items()} == {
        "brand": "categorical",
        "price": "numeric",
        "tags": "multi",
    }
    assert (config.schema.item["price"].bins, config.schema.item["tags"].length) == (10, 2)
    assert list(config.schema.context) == ["hour", "weekday", "device"]
    assert "# bid_price: {kind: numeric, bins: 10}  # ? use it if it is known before the event" in text
    behaviours = config.schema.behaviours
    assert list(behaviours) == ["exposure", "click", "like", "hate", "watch_time", "finish"]
    assert behaviours["exposure"].kind == "exposure"
    assert (behaviours["click"].where, behaviours["click"].given) == ("is_click == 1", "")
    assert (behaviours["like"].where, behaviours["like"].given) == ("is_like == 1", "click")
    assert behaviours["hate"].kind == "negative"
    assert behaviours["watch_time"].value == "play_ms / 1000"
    assert behaviours["finish"].where == "play_ms >= 0.8 * duration_ms"


def test_a_long_log_in_json_lines(tmp_path):
    kinds = ["view", "view", "view", "cart", "buy"]
    rows = events(
        event_type=lambda at: kinds[at % 5],
        event_time=lambda at: f"2020-05-01T10:{at % 60:02}:00Z",
        session=lambda at: f"s{at // 4}",
    )
    data = "".join(json.dumps(row) + "\n" for row in rows)
    text, config = guessed(tmp_path, {"log.jsonl.gz": gzip.compress(data.encode(), mtime=0)})
    assert config.events
    assert config.events.columns == {
        "user_id": "uid",
        "item_id": "sku",
        "behaviour": "event_type",
        "time": "event_time",
        "session_id": "session",
    }
    assert config.events.time == "iso"
    assert {name: behaviour.where for name, behaviour in config.schema.behaviours.items()} == {
        "interaction": "",
        "view": "behaviour == 'view'",
        "cart": "behaviour == 'cart'",
        "buy": "behaviour == 'buy'",
    }
    assert line_of(text, "view: ").endswith("# 60.0% of the sampled rows")


def test_ratings_without_a_header(tmp_path):
    at_work = [RANDOM.randrange(20) for _ in range(30)]
    users = "".join(f"{at}::{'FM'[at % 2]}::{at_work[at % 30]}\n" for at in range(40))
    movies = "".join(f'{at}::"Heat" {at} (1995)::Drama|War\n' for at in range(60))
    ratings = "".join(
        f"{RANDOM.randrange(40)}::{RANDOM.randrange(60)}::{at % 5 + 1}::{T + at}\n" for at in range(ROWS)
    )
    _, config = guessed(tmp_path, {"users.dat": users, "movies.dat": movies, "ratings.dat": ratings})
    assert config.events and config.users and config.items
    assert config.events.names == ["user_id", "item_id", "rating", "time"]
    assert config.users.names == ["user_id", "user_2", "user_3"]
    assert config.items.names == ["item_id", "title", "item_3"]
    assert not config.events.header and config.events.separator == "::"
    assert config.items.quote == ""
    assert config.schema.behaviours["like"].where == "rating >= 4"


@pytest.mark.parametrize(
    ("scale", "condition"),
    [
        ([1, 2, 3, 4, 5], "rating >= 4"),
        ([0.5, 2, 3.5, 4, 5], "rating >= 4"),
        (list(range(1, 11)), "rating >= 8"),
        ([20, 40, 60, 80, 100], "rating >= 80"),
        ([-1, 0, 1], "rating >= 1"),
    ],
)
def test_the_upper_part_of_a_scale_is_a_like(tmp_path, scale, condition):
    rows = events(rating=lambda at: scale[at % len(scale)], timestamp=lambda at: T + at)
    _, config = guessed(tmp_path, {"r.csv": text_of(rows)})
    assert config.schema.behaviours["like"].where == condition


@pytest.mark.parametrize(
    ("write", "unit"),
    [
        (lambda at: T + at, "seconds"),
        (lambda at: f"{T + at}.5", "seconds"),
        (lambda at: (T + at) * 10**6, "microseconds"),
        (lambda at: f"2020-05-{at % 30 + 1:02} 10:00:00 UTC", "iso"),
        (lambda at: f"{at % 28 + 1:02}/05/2020 10:00", "%d/%m/%Y %H:%M"),
        (lambda at: f"05/{at % 28 + 1:02}/2020 10:00", "%m/%d/%Y %H:%M"),
        (lambda at: 20200501 + at % 30, "%Y%m%d"),
    ],
)
@pytest.mark.parametrize("name", ["timestamp", "when"])
def test_units_of_time(tmp_path, write, unit, name):
    text, config = guessed(tmp_path, {"r.csv": text_of(events(**{name: write}))})
    assert config.events and config.events.time == unit
    assert list(config.schema.context) == (["weekday"] if unit == "%Y%m%d" else ["hour", "weekday"])
    by = "by its name" if name == "timestamp" else "? by its values"
    assert line_of(text, f"time: {name}").startswith(f"time: {name}  # {by}")


def test_times_that_are_doubtful(tmp_path):
    text, _ = guessed(tmp_path, {"a.csv": text_of(events(date=lambda at: f"{at % 12 + 1:02}/05/2020"))})
    assert "# ? the month may stand first; all 400 sampled values look like %d/%m/%Y" in text
    text, config = guessed(tmp_path, {"a.csv": text_of(events(time=lambda at: at))})
    assert config.clock == "order"
    assert "# ? time is no time between 1995 and 2035, so it only orders a user's events" in text
    text, config = guessed(tmp_path, {"a.csv": text_of(events())})
    assert config.clock == "none"
    assert "clock: none  # ? no column looks like a time" in text


def test_sessions_stand_for_users(tmp_path):
    rows = [{"sid": row["uid"], "sku": row["sku"], "ts": T + at} for at, row in enumerate(events())]
    text, config = guessed(tmp_path, {"a.tsv": text_of(rows, "\t")})
    assert config.events and config.events.columns["user_id"] == config.events.columns["session_id"] == "sid"
    assert "user_id: sid  # ? no column of users, so each session stands for one" in text


def test_parts_of_a_log_and_parquet(tmp_path):
    rows = events(ts=lambda at: T + at)
    table = pa.Table.from_pylist(rows)
    for part in (0, 1):
        parquet.write_table(table.slice(part * 200, 200), tmp_path / f"part-{part}.parquet")
    # A table of items is found by its ids where no name tells it.
    items = [{"key": at, "colours": [f"c{at % 7}", "x"], "size": at % 3} for at in range(60)]
    parquet.write_table(pa.Table.from_pylist(items), tmp_path / "things.parquet")
    files = {
        name: (tmp_path / name).read_bytes()
        for name in ("part-0.parquet", "part-1.parquet", "things.parquet")
    }
    text, config = guessed(tmp_path, files)
    assert config.events and config.events.files == ["part-0.parquet", "part-1.parquet"]
    assert config.items and config.items.columns == {"item_id": "key"}
    assert line_of(text, "item_id: key").startswith("item_id: key  # ? no value twice, and 100% of the items")
    assert config.schema.item["colours"].kind == "multi"


def test_names_that_are_taken(tmp_path):
    rows = events(
        ts=lambda at: T + at,
        event=lambda at: ["interaction", "Like", "like"][at % 3],
        city=lambda at: "ab"[at % 2],
    )
    users = [{"uid": f"u{at}", "city": f"c{at % 5}", "class": at % 4} for at in range(40)]
    _, config = guessed(tmp_path, {"log.csv": text_of(rows), "users.csv": text_of(users)})
    assert list(config.schema.behaviours) == ["interaction", "interaction_2", "like", "like_2"]
    assert list(config.schema.user) == ["city", "class_"]
    assert config.schema.context["context_city"].of == "city"
    assert config.users and config.users.columns == {"user_id": "uid", "class_": "class"}


def test_what_says_nothing_is_left_out(tmp_path):
    users = [
        {
            "uid": f"u{at}",
            "note": f"{at} said so",
            "empty": "",
            "one": 1,
            "born": f"19{at + 50}-01-01",
            "many_id": at % 20,
        }
        for at in range(40)
    ]
    rows = events(ts=lambda at: T + at)
    text, config = guessed(tmp_path, {"log.csv": text_of(rows), "users.csv": text_of(users)})
    assert list(config.schema.user) == ["many_id"]
    assert line_of(text, "# note") == "# note  # text of its own in most rows: 40 distinct values in 40 rows"
    assert line_of(text, "# one") == "# one  # says nothing: 1 distinct value in 40 rows"


def test_files_without_use_are_named(tmp_path):
    rows = events(ts=lambda at: T + at)
    files = {
        "log.csv": text_of(rows),
        "tags.csv": text_of([{"uid": "u1", "sku": 3, "tag": "x"}] * 3),
        "items.csv": text_of([{"sku": at, "a": at % 3, "b": at % 4} for at in range(60)]),
        "links.csv": text_of([{"sku": at, "imdb": at + 100} for at in range(60)]),
    }
    text, _ = guessed(tmp_path, files)
    assert "# ? not used: links.csv: describes items too, and says less" in text
    assert "# ? not used: tags.csv: no column has an id of a user or an item in each row, once" in text


def test_bad_rows_are_told(tmp_path):
    data = text_of(events(ts=lambda at: T + at)) + "1,2\n"
    path = tmp_path / "log.csv"
    path.write_text(data)
    line = line_of(guess([path]), "bad_rows: ")
    assert line == (
        "bad_rows: 0.0  # ? 1 of 401 sampled rows are bad (log.csv:402: 2 cells, expected 3); "
        "a share above 0 leaves them out"
    )


ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(ANY, min_size=2, max_size=5), st.lists(st.lists(ANY, min_size=5, max_size=5), max_size=4), ANY
)
def test_whatever_the_file_holds_the_result_is_yaml(tmp_path, names, rows, folder):
    folder = "".join(sign for sign in folder if sign not in "/\0") or "x"
    path = tmp_path / f"x{folder}" / "log.csv"
    path.parent.mkdir(exist_ok=True)
    file = io.StringIO()
    csv.writer(file).writerows([names, *(row[: len(names)] for row in rows)])
    path.write_text(file.getvalue(), newline="", encoding="utf-8")
    try:
        text = guess([path])
    except UserError:
        return
    assert parse(text, "guess").get("sources").plain()[0]["at"] == str(path.parent)
    (tmp_path / "guess.yaml").write_text(text)
    load_config(tmp_path / "guess.yaml")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "log.csv: the file is empty"),
        (b"\n\n", "log.csv: there are no rows"),
        (b"user_id,item_id\n", "events: no rows in log.csv"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "log.csv: is binary, no text (or in UTF-16: then set encoding: utf-16)"),
        (b"PK\3\4\0\0", "log.csv: is a zip archive, unpack it first"),
        (b"PAR1 nothing else", "log.csv: is no Parquet file, or damaged"),
        (b'[{"user": 1}]', "log.csv: begins with '[', expected one JSON object a line, or a table"),
        (b'{"user": 1}\n{"user"\n', "log.csv:2: is not JSON"),
        (b"1 2 3\n4 5\n6\n", "log.csv: one column only, expected at least a user and an item in each row"),
        (b"a," * 20_000 + b"\n", "log.csv:1: 20,001 columns, expected at most 10,000: is it a table?"),
        (gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-9], "log.csv: the gzip'd file is cut or damaged"),
    ],
)
def test_mistakes(tmp_path, data, message):
    path = tmp_path / "log.csv"
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        guess([path])
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_paths_that_are_no_files(tmp_path):
    (tmp_path / "a.csv").write_text("x")
    for paths, message in [
        ([], "no file is named"),
        ([tmp_path], "cannot be read (Is a directory)"),
        ([tmp_path / "b.csv"], "b.csv: cannot be read (No such file or directory)"),
        ([tmp_path / "a.csv", tmp_path / "x" / "b.csv"], "the files are in 2 folders"),
    ]:
        with pytest.raises(UserError) as error:
            guess(paths)
        assert message in str(error.value)


def test_words_for_no_value_are_told(tmp_path):
    rows = events(ts=lambda at: T + at, city=lambda at: ["Rome", "NA", "Oslo", "\\N"][at % 4])
    text, config = guessed(tmp_path, {"log.csv": text_of(rows)})
    assert r'empty: ["", "NA", "\\N"]  # ? no value, in city; leave out what is a category' in text
    assert config.events is not None and config.events.empty == ["", "NA", "\\N"]
    plain, _ = guessed(tmp_path, {"log.csv": text_of(events(ts=lambda at: T + at))})
    assert "empty:" not in plain

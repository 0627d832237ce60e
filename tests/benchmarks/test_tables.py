"""`read_table`: every form of a log gives the same table; what is read is what Python's csv module reads."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.datasets.reading import streams
from benchmarks.datasets.tables import Kind, Report, TableConfig, read_table

KINDS: dict[str, Kind] = {
    "user_id": "text",
    "item_id": "text",
    "time": "time",
    "rating": "number",
    "genres": "list",
}
COLUMNS = {"user_id": "uid", "item_id": "sku", "time": "ts"}
ROWS = [
    {"user_id": "7", "item_id": "b é", "time": 1588327445, "rating": 4.5, "genres": ["Drama", "War"]},
    {"user_id": "a,1", "item_id": "2", "time": 1588327446, "rating": None, "genres": None},
    {"user_id": "7", "item_id": 'say "x"', "time": 1588327447, "rating": 3.0, "genres": ["Drama"]},
]
HEADER = ["uid", "extra", "sku", "ts", "rating", "genres"]
CELLS = [
    ["7", "x", "b é", "1588327445", "4.5", "Drama|War"],
    ["a,1", "x", "2", "1588327446", "", ""],
    ["7", "x", 'say "x"', "1588327447", "3", " Drama ||"],
]


def text_of(rows: list[list[str]], **options: Any) -> str:
    file = io.StringIO()
    csv.writer(file, **{"lineterminator": "\n"} | options).writerows(rows)
    return file.getvalue()


def parquet_of(table: pa.Table) -> bytes:
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def read(data: bytes, name: str = "log.csv", kinds: dict[str, Kind] = KINDS, **options: Any) -> pa.Table:
    config = TableConfig([name], **{"columns": COLUMNS, "lists": {"genres": "|"}} | options)
    return read_table("events", config, {name: data}, kinds, Report())


PLAIN = text_of([HEADER, *CELLS])
COLONS = "\n".join("::".join(row) for row in CELLS)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (PLAIN.encode(), {}),
        (PLAIN.encode("utf-8-sig"), {}),
        (PLAIN.rstrip().encode(), {}),
        (PLAIN.replace("\n", "\r\n").encode(), {}),
        (PLAIN.replace("\n", "\r").encode(), {}),
        (PLAIN.replace("\n", "\n\n").encode(), {}),
        (PLAIN.encode("latin-1"), {"encoding": "latin-1"}),
        (PLAIN.encode("utf-16"), {"encoding": "utf-16"}),
        (gzip.compress(PLAIN.encode(), mtime=0), {}),
        (text_of([HEADER, *CELLS], quoting=csv.QUOTE_ALL).encode(), {}),
        (text_of([HEADER, *CELLS], delimiter=";").encode(), {"separator": ";"}),
        (text_of([HEADER, *CELLS], delimiter="\t").encode(), {"separator": "\\t"}),
        (text_of([HEADER, *CELLS], delimiter="\t").encode(), {"format": "tsv"}),
        (text_of([HEADER, *CELLS], quotechar="'").encode(), {"quote": "'"}),
        (COLONS.encode(), {"separator": "::", "header": False, "names": HEADER, "quote": ""}),
        ("¦".join(HEADER).encode() + b"\n" + COLONS.replace("::", "¦").encode(), {"separator": "¦"}),
    ],
)
@pytest.mark.parametrize("chunk", [2**24, 5])
def test_every_form_of_text_gives_the_same_table(data, options, chunk, monkeypatch):
    monkeypatch.setattr(streams, "CHUNK", chunk)
    table = read(data, **options)
    assert table.to_pylist() == ROWS
    assert table.schema.types == [
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int32(), pa.string()),
        pa.int64(),
        pa.float64(),
        pa.list_(pa.string()),
    ]


def json_lines(**changes: Any) -> bytes:
    objects = [{COLUMNS.get(key, key): value for key, value in row.items()} for row in ROWS]
    objects[0] |= changes
    del objects[1]["rating"]
    return b"".join(json.dumps(row).encode() + b"\n" for row in objects)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"uid": 7},
        {"uid": 7.0},
        {"genres": "Drama|War"},
        {"ts": "1588327445"},
        {"rating": "4.5"},
        {"x": {"y": 1}},
    ],
)
def test_json_lines_give_the_same_table(changes):
    data = json_lines(**changes)
    assert read(data, "log.jsonl").to_pylist() == ROWS
    assert read(gzip.compress(data), "log.json.gz").to_pylist() == ROWS


def test_text_in_json_stays_as_it_is():
    data = b'{"uid": "2020-01-01", "sku": 12345678901234567890123}\n{"uid": "2020-01-02", "sku": true}\n'
    kinds: dict[str, Kind] = {"user_id": "text", "item_id": "text"}
    assert read(data, "log.jsonl", kinds).to_pylist() == [
        {"user_id": "2020-01-01", "item_id": "12345678901234567890123"},
        {"user_id": "2020-01-02", "item_id": "true"},
    ]


def moments(unit: str, zone: str | None) -> pa.Array:
    times = [datetime.fromtimestamp(row["time"], UTC) for row in ROWS]
    return pa.array([time if zone else time.replace(tzinfo=None) for time in times], pa.timestamp(unit, zone))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"uid": pa.array(["7", "a,1", "7"]).dictionary_encode()},
        {"ts": moments("s", None)},
        {"ts": moments("us", "Europe/Rome")},
        {"rating": pa.array([4.5, None, 3.0], pa.float32())},
        {"rating": pa.array([4.5, float("nan"), 3.0])},
        {"rating": pa.array(["4.5", "", "3"])},
        {"genres": pa.array(["Drama|War", None, "Drama"])},
        {"genres": pa.array([["Drama", "War"], None, ["Drama", None]], pa.large_list(pa.large_string()))},
    ],
)
def test_parquet_gives_the_same_table(changes):
    columns = {COLUMNS.get(key, key): [row[key] for row in ROWS] for key in KINDS}
    data = parquet_of(pa.table(columns | {"extra": [1, 2, 3]} | changes))
    assert read(data, "log.parquet").to_pylist() == ROWS
    assert read(data, "log.bin", format="parquet").to_pylist() == ROWS


@pytest.mark.parametrize("ids", [[1, 2], [1.0, 2.0], ["1", "2"]])
def test_an_id_is_the_same_text_whatever_its_type(ids):
    data = parquet_of(pa.table({"uid": ids}))
    assert read(data, "a.parquet", {"user_id": "text"})["user_id"].to_pylist() == ["1", "2"]


@pytest.mark.parametrize("word", ["", "NA", "NaN", "nan", "null", "NULL", "None", "\\N", '""', " "])
def test_words_for_no_value(word):
    """Where a number or a time is expected they are none; in text and lists they are values like others."""
    kinds: dict[str, Kind] = {"user_id": "text", "rating": "number", "time": "time", "city": "text"}
    kinds["genres"] = "list"
    in_text = word.strip()
    data = f"uid,rating,ts,city,genres\n1,{word},1,{in_text},{in_text}\n2,5,{word},Rome,Drama\n".encode()
    config = {"bad_rows": 0.5}  # a row without a time is bad
    table = read(data, kinds=kinds, **config)
    kept = None if in_text in ("", '""') else in_text
    assert table.to_pylist() == [
        {"user_id": "1", "rating": None, "time": 1, "city": kept, "genres": kept and [kept]}
    ]


def test_what_counts_as_empty_can_be_said():
    kinds: dict[str, Kind] = {"rating": "number", "city": "text", "genres": "list"}
    data = b"rating,city,genres\n-1,NA,-\n-10,-,NA\n,-1,a|-1\n"
    table = read(data, kinds=kinds, empty=["-1", "-"])
    assert table["rating"].to_pylist() == [None, -10, None]
    assert table["city"].to_pylist() == ["NA", None, None]
    assert table["genres"].to_pylist() == [None, ["NA"], ["a", "-1"]]
    nothing = read(b"city,rating\n,\nNA,1\n", kinds={"city": "text", "rating": "number"}, empty=[])
    assert nothing.to_pylist() == [{"city": "", "rating": None}, {"city": "NA", "rating": 1}]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_category_called_na_is_kept_in_every_form(form):
    cities = ["NA", "None", None, "Rome"]
    data = {
        "csv": "city,uid\n" + "".join(f"{city or ''},1\n" for city in cities),
        "jsonl": "".join(json.dumps({"city": city, "uid": "1"}) + "\n" for city in cities),
    }
    raw = data[form].encode() if form in data else parquet_of(pa.table({"city": cities, "uid": ["1"] * 4}))
    kinds: dict[str, Kind] = {"city": "text", "user_id": "text"}
    assert read(raw, f"log.{form}", kinds)["city"].to_pylist() == cities


def test_files_that_are_parts_of_a_split():
    files = {
        "a.csv": b"uid,rating\n1,4\n2,5\n",
        "b-1.csv": b"uid,rating\n3,.5\n",
        "b-2.csv": b"uid,rating\n4,1\n",
        "c.csv": b"uid,rating\n5,2\n",
    }
    config = TableConfig(columns=COLUMNS, split={"test": "b-*.csv", "train": "a.csv", "validation": "c.csv"})
    kinds: dict[str, Kind] = {"user_id": "text", "rating": "number"}
    table = read_table("events", config, files, kinds, Report())
    assert table["split"].type == pa.int64()
    found = {row["user_id"]: (row["rating"], row["split"]) for row in table.to_pylist()}
    assert found == {"1": (4, 0), "2": (5, 0), "3": (0.5, 2), "4": (1, 2), "5": (2, 1)}


@pytest.mark.parametrize(
    ("cells", "expected", "kind"),
    [
        (["4", " 5", "+6", "-0"], [4, 5, 6, 0], pa.int64()),
        (["4.0", "5", "6e2"], [4, 5, 600], pa.int64()),
        (["4.5", ".5", "5.", "-1e-1"], [4.5, 0.5, 5, -0.1], pa.float64()),
        (["True", "false", "2"], [1, 0, 2], pa.int64()),
        (["9007199254740993"], [2**53 + 1], pa.int64()),
        (["1e300"], [1e300], pa.float64()),
    ],
)
def test_numbers(cells, expected, kind):
    table = read(("rating\n" + "\n".join(cells)).encode(), kinds={"rating": "number"})
    assert table["rating"].type == kind
    assert table["rating"].to_pylist() == expected


def test_a_column_is_of_one_type_over_all_files():
    files = {"b.csv": b"sku,uid,rating\nx,1,4.5\n", "a.csv": b"uid,sku,rating\n1,y,3\n"}
    config = TableConfig(["*.csv", "b.csv"], columns=COLUMNS)
    kinds: dict[str, Kind] = {"user_id": "text", "item_id": "text", "rating": "number"}
    report = Report()
    table = read_table("events", config, files, kinds, report)
    assert table.to_pylist() == [
        {"user_id": "1", "item_id": "y", "rating": 3.0},
        {"user_id": "1", "item_id": "x", "rating": 4.5},
    ]
    assert table["user_id"].unify_dictionaries().chunk(0).dictionary.to_pylist() == ["1"]
    assert {file: found.rows for (_, file), found in report.files.items()} == {"a.csv": 1, "b.csv": 1}


def test_files_on_disk(tmp_path):
    for name, data in {"x-1.csv": PLAIN.encode(), "x-2.csv.gz": gzip.compress(PLAIN.encode())}.items():
        (tmp_path / name).write_bytes(data)
    config = TableConfig(["x-*"], columns=COLUMNS, lists={"genres": "|"})
    files = {path.name: path for path in tmp_path.iterdir()}
    assert read_table("events", config, files, KINDS, Report()).to_pylist() == ROWS * 2


def test_what_is_finer_than_a_second_orders_the_events():
    data = b"uid,sku,ts\n1,a,1588327445250\n1,b,1588327445000\n"
    kinds: dict[str, Kind] = {"user_id": "text", "item_id": "text", "time": "time"}
    table = read(data, kinds=kinds, time="milliseconds")
    assert table["time"].to_pylist() == [1588327445, 1588327445]
    assert table["order"].to_pylist() == [250_000_000, 0]
    assert "order" not in read(data.replace(b"250", b"000"), kinds=kinds, time="milliseconds").column_names
    data = data.replace(b"sku", b"order").replace(b"a", b"1").replace(b"b", b"2")
    own = read(data, kinds={"order": "number", "time": "time"}, time="milliseconds")
    assert own.column_names == ["order", "time"]


@pytest.mark.parametrize(
    ("cells", "separator", "expected"),
    [
        (['["a", "b"]', "[]", "[1, null]"], "json", [["a", "b"], [], ["1"]]),
        (["['a', 'b']", "", "('c',)"], "json", [["a", "b"], None, ["c"]]),
        (["a, b", "c", ","], ",", [["a", "b"], ["c"], []]),
        (["a::b", "NA", "", "c"], "::", [["a", "b"], ["NA"], None, ["c"]]),
    ],
)
def test_cells_of_several_values(cells, separator, expected):
    data = text_of([["uid", "genres"], *(["1", cell] for cell in cells)]).encode()
    table = read(data, kinds={"user_id": "text", "genres": "list"}, lists={"genres": separator})
    assert table["genres"].to_pylist() == expected


def test_bad_rows_are_left_out_and_counted():
    lines = [f"{user},x,1588327445,{user % 5}" for user in range(1000)]
    lines[3], lines[500], lines[501], lines[900] = (
        "3,x,1588327445,bad",
        "500,x",
        "501,x,soon,1",
        ",x,1588327445,1",
    )
    data = ("uid,sku,ts,rating\n" + "\n".join(lines)).encode()
    kinds: dict[str, Kind] = {"user_id": "text", "item_id": "text", "time": "time", "rating": "number"}
    report = Report()
    config = TableConfig(["a.csv"], columns=COLUMNS, bad_rows=0.004)
    table = read_table("events", config, {"a.csv": data}, kinds, report)
    assert table["user_id"].to_pylist() == [
        str(user) for user in range(1000) if user not in (3, 500, 501, 900)
    ]
    found = report.files["events", "a.csv"]
    assert (found.rows, found.bad, report.bad) == (1000, 4, 4)
    assert found.samples == [
        "a.csv:502: 2 cells, expected 4",
        "a.csv:5: rating is 'bad', expected a number",
        "a.csv:503: ts is 'soon', expected seconds between 1970 and 2100",
    ]


CELL = st.text(alphabet="ab ,;\"\n'é:", max_size=6)
TABLE = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=8)
)


@settings(deadline=None, max_examples=150)
@given(TABLE, st.sampled_from([",", ";", "::"]), st.integers(1, 40))
def test_quotes_are_read_as_the_csv_module_reads_them(rows, separator, chunk):
    one = "\x1f" if separator == "::" else separator
    if separator == "::":
        rows = [[cell.replace("\x1f", "") for cell in row] for row in rows]
    text = text_of(rows, delimiter=one, quoting=csv.QUOTE_ALL).replace(one, separator)
    names = [f"c{i}" for i in range(len(rows[0]))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "CHUNK", chunk)
        table = read(
            text.encode(), separator=separator, header=False, names=names, kinds=dict.fromkeys(names, "text")
        )
    assert [list(row.values()) for row in table.to_pylist()] == [
        [cell or None for cell in row] for row in rows
    ]

"""`read_table`: whatever is wrong with a log is one clear line that says where."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from benchmarks.datasets.reading import records, streams
from benchmarks.datasets.tables import Kind, Report, TableConfig, read_table
from zoo.core.errors import UserError

KINDS: dict[str, Kind] = {"user_id": "text", "item_id": "text", "time": "time", "rating": "number"}
HEAD = b"user_id,item_id,time,rating\n"
GOOD = b"1,2,1588327445,4\n"


def failure(opened: dict[str, Any], kinds: dict[str, Kind] = KINDS, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        read_table("events", TableConfig(**{"files": ["*"]} | options), opened, kinds, Report())
    message = str(error.value)
    assert len(message.splitlines()) == 1 and len(message) < 400
    return message


def failure_of(data: bytes, name: str = "a.csv", **options: Any) -> str:
    return failure({name: data}, **options)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.csv: the file is empty"),
        (HEAD, "events: no rows in *"),
        (b"\n\n", "events: no rows in *"),
        (
            HEAD.replace(b",", b";") + GOOD.replace(b",", b";"),
            'one column only, \'user_id;item_id;time;rating\', with separator ","; try ";" (4 columns)',
        ),
        (HEAD.replace(b",", b"\t"), 'try "\\t" (4 columns)'),
        (HEAD.replace(b",", b"::"), 'try "::" (4 columns)'),
        (b"user id\n1\n", 'a.csv:1: one column only, \'user id\', with separator ","; try " " (2 columns)'),
        (b"user\n1\n", "a.csv:1: no column 'user_id' (did you mean 'user'?), found user"),
        (
            b"\nuser_id,item,time,rating\n",
            "a.csv:2: no column 'item_id' (did you mean 'item'?), found user_id, item, time, rating",
        ),
        (
            GOOD + GOOD,
            "a.csv:1: names no wanted column, '1,2,1588327445,4'; without a header set header: false",
        ),
        (b"user_id,item_id,time,user_id\n", "a.csv:1: column 'user_id' is there twice"),
        (
            HEAD + GOOD + b"1,2,3,\n1,2,soon,5\n",
            "a.csv:4: time is 'soon', expected seconds between 1970 and 2100; 1 of 3 rows read is bad",
        ),
        (
            HEAD + b"1,2,1588327445000,5\n",
            "a.csv:2: time is '1588327445000', expected seconds between 1970 and 2100 "
            "(it looks like milliseconds: set time: milliseconds); 1 of 1 rows read is bad",
        ),
        (HEAD + b"1,2,2020-05-01,5\n", "(it looks like iso: set time: iso)"),
        (HEAD + GOOD + b"1,2,3,good\n", "a.csv:3: rating is 'good', expected a number"),
        (HEAD + GOOD + b'1,2,3,"1,234"\n', "a.csv:3: rating is '1,234', expected a number"),
        (HEAD + GOOD + b",2,3,4\n", "a.csv:3: user_id is empty, expected a value"),
        (HEAD + GOOD + b"1,null,3,4\n", "a.csv:3: item_id is empty, expected a value"),
        (HEAD + GOOD + b"1,2, ,4\n", "a.csv:3: time is empty, expected a value"),
        (HEAD + GOOD + b"1,2,3\n", "a.csv:3: 3 cells, expected 4"),
        (HEAD + GOOD + b"\n\r\n1,2,3,4,5\r\n", "a.csv:5: 5 cells, expected 4"),
        (HEAD + b'1,"a\nb",3,4\n\n' + GOOD + b"1,2,3,x\n", "a.csv:6: rating is 'x'"),
        (
            HEAD + b'1,"a,3,4\n2,b",3,4,5,6\n',
            "a.csv:2: 6 cells, expected 4 (a quote opens here and closes on a l",
        ),
        (HEAD + GOOD + b"1,caf\xe9,3,4\n", "a.csv:3: byte 0xe9 is not utf-8, set encoding (such as latin-1)"),
        (HEAD + GOOD + b"1,2,3,\xc3", "a.csv:3: byte 0xc3 is not utf-8"),
        (
            HEAD + b'1,"Heroes,3,4\n' + GOOD * 9,
            "a.csv:2: a quote opens here and never closes; where quotes are pla",
        ),
        (HEAD + b"1," * 10**6 + b"1\n", "a.csv:2: 1,000,001 cells, expected 4"),
        (b"c," * 10**6 + b"\n", "a.csv:1: no column 'user_id', found c, c, c"),
        (HEAD.decode().encode("utf-16"), "a.csv: begins like UTF-16, set encoding: utf-16"),
        (
            HEAD.decode().encode("utf-16-le"),
            "a.csv: is binary, no text (or in UTF-16: then set encoding: utf-16)",
        ),
        (b"PK\3\4....", "a.csv: is a zip archive, unpack it first"),
        (b"PAR1....", "a.csv: is Parquet, set format: parquet"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a.csv: is binary, no text"),
        (
            gzip.compress(HEAD + GOOD * 1000, mtime=0)[:-20],
            "a.csv: the gzip'd file is cut or damaged (Compressed file ended",
        ),
        (gzip.compress(HEAD, mtime=0)[:12], "a.csv: the gzip'd file is cut or damaged"),
        (
            gzip.compress(HEAD + GOOD, mtime=0)[:-8] + b"12345678",
            "a.csv: the gzip'd file is cut or damaged (CRC check failed",
        ),
        (
            b"\x1f\x8b\x09" + b"x" * 20,
            "a.csv: the gzip'd file is cut or damaged (Unknown compression method)",
        ),
        (gzip.compress(b"", mtime=0), "a.csv: the file is empty"),
    ],
)
def test_what_is_wrong_with_a_csv(data, message):
    assert message in failure_of(data)


@pytest.mark.parametrize("chunk", [7, 2**24])
def test_the_line_is_right_wherever_the_file_is_cut(chunk, monkeypatch):
    monkeypatch.setattr(streams, "CHUNK", chunk)
    data = HEAD + b'1,"a\nb",3,4\n\n' + GOOD * 5
    assert failure_of(data + b"1,2,3,x\n").startswith("a.csv:10: rating is 'x'")
    assert failure_of(data + b"1,2\n" + GOOD).startswith("a.csv:10: 2 cells, expected 4")
    assert failure_of(data + b'1,"2,3\n').startswith("a.csv:10: a quote opens here")
    assert failure_of(data + b"1,\xff,3\n").startswith("a.csv:10: byte 0xff is not utf-8")
    assert failure_of(data + b"1,\xff,3,x\n", encoding="latin-1").startswith("a.csv:10: rating is 'x'")


def test_a_line_without_end(monkeypatch):
    monkeypatch.setattr(streams, "CHUNK", 100)
    monkeypatch.setattr(records, "MAX_RECORD", 1000)
    assert (
        failure_of(HEAD + GOOD + b"x" * 5000)
        == "a.csv:3: the line is longer than 1,000 bytes, expected a table"
    )
    assert failure_of(HEAD + b'1,"' + GOOD * 5000).startswith("a.csv:2: a quote opens here and never closes")


def test_a_share_of_bad_rows_may_be_allowed():
    data = HEAD + GOOD * 9_998 + b"1,2,3,x\n1,2,3,y\n"
    first = (
        "a.csv:10000: rating is 'x', expected a number (also a.csv:10001: rating is 'y', expected a number); "
    )
    counted = "2 of 10,000 rows read are bad"
    assert failure_of(data) == f"{first}{counted}; to leave them out set bad_rows: 0.0002"
    allowed = ", more than bad_rows: 0.0001 allows; to leave them out set bad_rows: 0.0002"
    assert failure_of(data, bad_rows=0.0001) == first + counted + allowed
    table = read_table("events", TableConfig(["*"], bad_rows=0.0002), {"a.csv": data}, KINDS, Report())
    assert table.num_rows == 9_998


def test_the_rows_of_all_files_count():
    files = {"a.csv": HEAD + GOOD * 3, "b.csv": HEAD + b"1,2,3,x\n"}
    assert failure(files, bad_rows=0.2).endswith("1 of 4 rows read is bad, more than bad_rows: 0.2 allows")
    assert read_table("events", TableConfig(["*"], bad_rows=0.25), files, KINDS, Report()).num_rows == 3


def test_without_a_header():
    names = ["user_id", "item_id", "time", "rating"]
    options: dict[str, Any] = {"header": False, "names": names, "separator": "::"}
    assert failure_of(GOOD, **options).endswith('with separator "::"; try "," (4 columns)')
    assert failure_of(b"1::2::3\n", **options).startswith("a.csv:1: 3 cells, expected 4")
    assert failure_of(b"1::2::3::x\n", **options).startswith("a.csv:1: rating is 'x'")
    missing = failure_of(b"1::2\n", **options | {"names": ["user_id", "x"]})
    assert missing == "a.csv:1: no column 'item_id' (did you mean 'user_id'?), found user_id, x"


def test_which_column_of_theirs_is_missing():
    message = failure_of(b"user_id,itemid\n", columns={"item_id": "item"})
    assert (
        message == "a.csv:1: no column 'item' (for item_id) (did you mean 'itemid'?), found user_id, itemid"
    )


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (["a.csv"], {"files": ["b.csv"]}, "events: no file 'b.csv' (did you mean 'a.csv'?), found a.csv"),
        (["a.csv"], {"files": ["x-*"]}, "events: no file 'x-*', found a.csv"),
        ([], {}, "events: no file '*', found none"),
        (["u.data"], {}, "u.data: the ending tells no format: set format, or separator"),
        (["a.csv.gz"], {}, "a.csv.gz: is not gzip'd, whatever its name says"),
    ],
)
def test_which_file(files, options, message):
    assert failure(dict.fromkeys(files, HEAD + GOOD), **options) == message


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(HEAD)
    assert failure({"a.csv": tmp_path}) == "a.csv: cannot be read (Is a directory)"
    assert failure({"a.csv": tmp_path / "b.csv"}) == "a.csv: cannot be read (No such file or directory)"

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert failure({"a.csv": tmp_path / "a.csv"}) == "a.csv: cannot be read (Permission denied)"


OBJECT = b'{"user_id": 1, "item_id": "2", "time": 1588327445, "rating": 4}\n'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"user_id,item_id\n", "a.jsonl:1: 'user_id,item_id' is not JSON (Expecting value)"),
        (OBJECT + b'{"user_id": 1,\n', "a.jsonl:2: '{\"user_id\": 1,' is not JSON"),
        (OBJECT + b"\n[1, 2]\n", "a.jsonl:3: '[1, 2]' is not a JSON object"),
        (b"[" + OBJECT + b"]", "a.jsonl:1: begins with '[', expected one JSON object a line"),
        (OBJECT + b"[" * 10**5 + b"\n", "a.jsonl:2: '[[[[[[[[[[[[...[[[[[[[[[[[[[' is not JSON"),
        (OBJECT + OBJECT.replace(b"4}", b'"x"}'), "a.jsonl:2: rating is 'x', expected a number"),
        (OBJECT + OBJECT.replace(b"4}", b"[4]}"), "a.jsonl:2: rating is a list, expected a number"),
        (OBJECT + OBJECT.replace(b": 1,", b": {},"), "a.jsonl:2: user_id is an object, expected text"),
        (OBJECT + OBJECT.replace(b": 1,", b": null,"), "a.jsonl:2: user_id is empty, expected a value"),
        (
            OBJECT + OBJECT.replace(b"1588327445", b"9e12"),
            "a.jsonl:2: time is 9000000000000.0, expected seconds",
        ),
        (
            OBJECT.replace(b"user_id", b"user"),
            "a.jsonl: no column 'user_id' (did you mean 'user'?), found user, ",
        ),
        (
            OBJECT.replace(b"rating", b"stars"),
            "a.jsonl: no column 'rating', found user_id, item_id, time, stars",
        ),
        (OBJECT + b'{"user_id": "\xff"}\n', "a.jsonl:2: byte 0xff is not utf-8"),
        (b"", "a.jsonl: the file is empty"),
        (gzip.compress(OBJECT * 999, mtime=0)[:-9], "a.jsonl: the gzip'd file is cut or damaged"),
    ],
)
def test_what_is_wrong_with_json(data, message):
    assert message in failure_of(data, "a.jsonl")


def test_a_bad_object_may_be_left_out():
    data = OBJECT * 9 + b"oops\n" + OBJECT
    table = read_table("events", TableConfig(["*"], bad_rows=0.1), {"a.jsonl": data}, KINDS, Report())
    assert table.num_rows == 10


def parquet_of(**columns: Any) -> bytes:
    file = io.BytesIO()
    rows = {"user_id": [1, 2], "item_id": ["a", "b"], "time": [1588327445, 1588327446], "rating": [4, 5]}
    parquet.write_table(pa.table(rows | columns), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEAD + GOOD, "a.parquet: is no Parquet file, or damaged (Parquet magic bytes not found in footer"),
        (parquet_of()[:-30], "a.parquet: is no Parquet file, or damaged"),
        (b"", "a.parquet: the file is empty"),
        (parquet_of(user_id=[1, None]), "a.parquet: row 2: user_id is empty, expected a value"),
        (parquet_of(time=[1588327445, 7e12]), "a.parquet: row 2: time is 7000000000000.0, expected seconds"),
        (parquet_of(rating=["4", "x"]), "a.parquet: row 2: rating is 'x', expected a number"),
        (parquet_of(rating=[4.0, float("inf")]), "a.parquet: row 2: rating is inf, expected a number"),
        (parquet_of(rating=[[1], [2]]), "a.parquet: column rating is list<element: int64>, expected numbers"),
        (parquet_of(user_id=[[1], [2]]), "a.parquet: column user_id is list<element: int64>, expected text"),
        (parquet_of(time=[[1], [2]]), "a.parquet: column time is list<element: int64>, expected times"),
        (parquet_of(user_id=[b"\xff", b"x"]), "a.parquet: column user_id is binary, expected text"),
    ],
)
def test_what_is_wrong_with_parquet(data, message):
    assert message in failure_of(data, "a.parquet")


def test_a_missing_column_of_parquet():
    assert failure_of(parquet_of(), "a.parquet", kinds={"item": "text"}) == (
        "a.parquet: no column 'item' (did you mean 'item_id'?), found user_id, item_id, time, rating"
    )


def test_lists():
    kinds: dict[str, Kind] = {"genres": "list"}
    assert failure_of(b"genres\na|b\n", kinds=kinds) == (
        "a.csv: column genres is string, expected lists: say what separates their values, "
        'such as lists: {column: "|"}'
    )
    message = failure_of(b'genres\n"[1, 2]"\noops\n', kinds=kinds, lists={"genres": "json"})
    assert message.startswith("a.csv:3: genres is 'oops', expected a list")
    nested = json.dumps({"genres": [["a"]]}).encode()
    assert "a.jsonl:1: genres is a list, expected text" in failure_of(nested, "a.jsonl", kinds=kinds)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"files": []}, "files must name at least one"),
        ({"separator": "\n"}, r"separator must hold no line end and no quote, found '\n'"),
        ({"separator": '"'}, "separator must hold no line end and no quote, found '\"'"),
        ({"header": False}, "names must say the columns where there is no header"),
        ({"names": ["a"]}, "names are for files without a header: set header: false"),
        ({"header": False, "names": ["a", "a"]}, "names must differ from one another"),
        ({"encoding": "utf-9"}, "encoding is not known, found 'utf-9'"),
        ({"encoding": "base64"}, "encoding is not known, found 'base64'"),
        ({"quote": "''"}, "quote must be one character or none, found \"''\""),
        (
            {"time": "second"},
            "time must be seconds, milliseconds, microseconds, nanoseconds, iso or like %d/%m/%Y",
        ),
        ({"time": "%Q"}, "time must be seconds"),
        ({"lists": {"a": ""}}, "lists must say what separates the values"),
        ({"split": {"test": "b.csv"}}, "files must not be there where split names them"),
        ({"files": [], "split": {"dev": "b.csv"}}, "split must be by train, validation, test, found dev"),
        (
            {"files": [], "split": {"test": "b.csv"}, "columns": {"split": "part"}},
            "split must not be a column too: a row's part is told by its file",
        ),
        ({"bad_rows": 1.0}, "bad_rows must be a share below 1, found 1.0"),
        ({"bad_rows": -0.1}, "bad_rows must be a share below 1, found -0.1"),
    ],
)
def test_what_is_wrong_with_a_config(options, message):
    with pytest.raises(ValueError) as error:
        TableConfig(**{"files": ["a.csv"]} | options)
    assert message in str(error.value)


def test_a_file_in_two_parts_of_a_split():
    files = {"a-test.csv": HEAD + GOOD, "b.csv": HEAD + GOOD}
    message = failure(files, files=[], split={"train": "*.csv", "test": "a-*.csv"})
    assert message == "events: a-test.csv is both train and test of the split"

"""`benchmarks.datasets`: the configs, and MovieLens-100K itself."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pyarrow as pa
import pytest
from tiny_movielens import REAL, flags, write, zipped

from benchmarks.datasets import DatasetConfig, load_config, prepare
from benchmarks.datasets.assemble import assembled
from benchmarks.datasets.tables import Report
from zoo.core.errors import UserError
from zoo.data.roles import FeatureConfig, SchemaConfig
from zoo.data.windows import StatisticsConfig


def test_fingerprint_follows_tables_and_roles_only():
    real = load_config(REAL)
    assert replace(real, about="new prose", statistics={}).fingerprint("0") == real.fingerprint("0")
    assert real.fingerprint("1") != real.fingerprint("0")
    assert replace(real, schema=SchemaConfig()).fingerprint("0") != real.fingerprint("0")


def test_parts_that_came_later_change_a_fingerprint_only_where_they_say_something():
    real = load_config(REAL)
    # What the published records of this dataset are found by.
    assert real.fingerprint(real.canonical).startswith("6bae8c829400")
    for part in (
        {"statistics": StatisticsConfig(["7d"])},
        {"event": {"rating": FeatureConfig("categorical")}},
    ):
        more = replace(real, schema=replace(real.schema, **part))
        assert more.fingerprint("0") != real.fingerprint("0")
        assert replace(more, canonical="").recipe != replace(real, canonical="").recipe


def test_without_seconds_everything_before_can_be_counted():
    schema = SchemaConfig(statistics=StatisticsConfig(["all"]))
    assert DatasetConfig(schema, clock="order").schema.statistics.finite == []


def test_real_config_says_what_its_columns_mean():
    schema = load_config(REAL).schema
    assert (schema.user["age"].kind, schema.user["age"].bins) == ("numeric", 8)
    assert (schema.item["genres"].kind, schema.item["genres"].length) == ("multi", 6)
    assert schema.context["hour"].of == "time"
    assert schema.behaviours["like"].where == "rating >= 4"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bins: 8", "bin: 8", "unknown key (did you mean 'bins'?)"),
        ("kind: wheel", "kind: wheels", "did you mean 'wheel'?"),
        ("md5:0e33842e24a9c977be4e0107933c0723", "md5:0e33", "expected md5:<32 hex digits>"),
        ("title: MovieLens 100K", "name: x", "a dataset is named by its file, remove the key"),
        ("rating >= 4", "rating => 4", "not understood"),
        ("  context:", "  statistics: {windows: [7dd]}\n  context:", "statistics.windows: expected a whole"),
        ("  context:", "  statistics: {windows: [7d], cross: [genre]}\n  context:", "did you mean 'genres'?"),
        ("  context:", "  event: {rating: {kind: categoric}}\n  context:", "did you mean 'categorical'?"),
        (
            "schema:",
            "clock: order\nschema:\n  statistics: {windows: [all, 7d]}",
            "clock: must be seconds for",
        ),
        (
            "schema:",
            "clock: none\nschema:\n  event: {age: {kind: numeric, bins: 3, of: time}}",
            "clock: must be seconds for ages of events, found age",
        ),
    ],
)
def test_a_slip_in_a_config_is_told(tmp_path, old, new, message):
    text = REAL.read_text()
    assert old in text
    (tmp_path / "d.yaml").write_text(text.replace(old, new))
    with pytest.raises(UserError) as error:
        load_config(tmp_path / "d.yaml")
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "d.yaml"))


def test_reading_a_config_imports_neither_torch_nor_arrow():
    code = (
        "import sys, benchmarks.datasets as d; d.load_config(sys.argv[1]);"
        "print({*sys.modules} & {'torch', 'datasets', 'pyarrow', 'numpy'})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(REAL)], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    try:
        return prepare(load_config(REAL), tmp_path_factory.mktemp("cache"))
    except UserError as error:
        if "expected" in str(error):  # There, but not what was pinned.
            raise
        pytest.skip(f"no source of MovieLens-100K here: {error}")


def test_real_data_is_the_pinned_data(real):
    told = load_config(REAL)
    log = real.log
    assert (log.events.num_rows, log.users.num_rows, log.items.num_rows) == (100_000, 943, 1_682)
    assert told.statistics == {"events": 100_000, "users": 943, "items": 1_682}
    assert log.sha256() == told.canonical
    # Counted with cut and uniq in RecBole's files; the mean, 3.53, is well known.
    assert sum(log.events["rating"].to_pylist()) == 352_986
    assert sum("Drama" in genres for genres in log.items["genres"].to_pylist()) == 725


def test_real_rows_in_the_published_form_are_the_pinned_data(real, tmp_path, monkeypatch):
    rows = {name: getattr(real.log, name).to_pylist() for name in ("events", "users", "items")}
    for row in rows["events"]:
        row["user_id"] = rows["users"][row["user"]]["user_id"]
        row["item_id"] = rows["items"][row["item"]]["item_id"]
    lines = {
        "u.data": ["{user_id}\t{item_id}\t{rating:.0f}\t{time}".format(**row) for row in rows["events"]],
        "u.user": [
            "{user_id}|{age}|{gender}|{occupation}|{zip_prefix}0000".format(**row) for row in rows["users"]
        ],
        "u.item": [
            "{item_id}|{title} ({year})|01-Jan-2000||http://x|".format(**row)
            + flags(*(row["genres"] or ["unknown"]))
            for row in rows["items"]
        ],
    }
    lines["u.item"] = [line.replace("unkonwn (0)|01-Jan-2000", "unknown|") for line in lines["u.item"]]
    archive = zipped(
        {name: "\n".join([*text, ""]).encode("latin-1") for name, text in lines.items()}, "ml-100k/"
    )
    write(tmp_path / "ml-100k", {"ml-100k.zip": archive})
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    told = load_config(REAL)
    assert prepare(told, tmp_path / "cache").log.sha256() == told.canonical


def test_a_log_with_times_can_be_a_table_of_rows(tmp_path):
    """`clock: none` drops the times after the filter has seen them, whoever read them."""
    lines = [f"u{n % 3},i{n % 5},{1_000_000_000 + 7 * (n * 11 % 30)}" for n in range(30)]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,time", *lines]) + "\n")
    text = (
        "clock: none\nsources: [{kind: folder, at: .}]\nfilter: {events: 'time >= 1000000070'}\n"
        "events: {files: [log.csv], columns: {time: time}}\nschema: {behaviours: {row: {}}}\n"
    )
    (tmp_path / "rows.yaml").write_text(text)
    events = prepare(load_config(tmp_path / "rows.yaml"), tmp_path / "cache").log.events
    assert events.column_names == ["user", "item", "time"]
    assert set(events["time"].to_pylist()) == {0}
    late = [line for line in lines if int(line.split(",")[2]) >= 1_000_000_070]
    assert events.num_rows == len(late) < len(lines)
    table = pa.table({"user_id": ["a"], "item_id": ["x"], "time": [5], "order": [1]})
    config = DatasetConfig(SchemaConfig(), clock="none")
    assert assembled(config, {"events": table}, {}, Report()).events.to_pylist() == [
        {"user": 0, "item": 0, "time": 0}
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "clock: none\nschema: {context: {hour: {kind: categorical, of: time}}}",
            "schema.context.hour is made of the time, which clock: none does not have",
        ),
        (
            "events: {files: [a.csv]}\nusers: {split: {train: u.csv}}\nschema: {}",
            "users.split: only events are published in parts",
        ),
    ],
)
def test_what_a_clock_and_a_split_cannot_be(tmp_path, text, message):
    (tmp_path / "d.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        load_config(tmp_path / "d.yaml")
    assert message in str(error.value)

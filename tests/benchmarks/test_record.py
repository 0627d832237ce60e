"""Records: what is written comes back, and what is wrong is refused with one line that names it."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.record import Interval, Record, RecordError, read_arrays, read_record, write_record

ID = "0123456789abcdef"
ARRAYS = {
    "user/recall@20": np.array([0, 0.5, np.nan], np.float32),
    "boot/coverage@20": np.linspace(0.2, 0.4, 200, dtype=np.float32),
}
RECORD = Record(
    record_id=ID,
    status="ok",
    entry="recall/two_tower",
    model="recall/two_tower",
    stage="recall",
    dataset="ml-100k",
    dataset_fingerprint="0badcafe",
    protocol="global-time@1/test",
    seed=0,
    config={"model": {"embed_dim": 64}, "seed": 0},
    command="python -m benchmarks run configs/recall/two_tower.yaml",
    code_version="abc1234-dirty",
    machine={
        **{"cpu": "a", "cores": 2, "threads": 1, "memory_gib": 7.5},
        **{"device": "cpu", "platform": "linux", "python": "3.11"},
    },
    libraries={"torch": "2.13.0"},
    population={"requests": 3, "requests_with_target": 2, "new_users": 1},
    metrics={"recall@20": Interval(0.25, 0.0, 0.5), "train/seconds": Interval(1.5)},
    created="2026-11-24T05:00:00Z",
)


@pytest.fixture
def run(tmp_path):
    write_record(RECORD, ARRAYS, tmp_path / ID)
    return tmp_path / ID


def spoil(run, **changes):
    path = run / "record.json"
    data = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in data.items() if value is not ...}))


def refusal(path):
    with pytest.raises(RecordError) as caught:
        read_record(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_round_trip(run):
    record = read_record(run)
    assert replace(record, arrays_sha256=None) == RECORD
    assert record == read_record(run / "record.json")
    arrays = read_arrays(run)
    assert sorted(arrays) == sorted(ARRAYS)
    for key, values in ARRAYS.items():
        assert arrays[key].dtype == np.float32
        np.testing.assert_array_equal(arrays[key], values)


def test_json_is_as_specified(run):
    data = json.loads((run / "record.json").read_text())
    assert next(iter(data)) == "schema_version"
    assert data["metrics"] == {
        "recall@20": {"mean": 0.25, "lo": 0.0, "hi": 0.5},
        "train/seconds": {"mean": 1.5, "lo": None, "hi": None},
    }
    assert set(data) == set(Record.__dataclass_fields__)


def test_writing_is_deterministic_and_leaves_no_other_file(run, tmp_path):
    write_record(RECORD, ARRAYS, tmp_path / "again")
    assert sorted(path.name for path in run.iterdir()) == ["record.json", "users.npz"]
    for name in ("record.json", "users.npz"):
        assert (run / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_crash_while_writing_leaves_no_record(run, monkeypatch):
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_record(RECORD, ARRAYS, run)
    assert "No such file" in refusal(run)


def test_a_record_without_arrays(tmp_path):
    assert write_record(RECORD, {}, tmp_path).arrays_sha256 is None
    assert read_record(tmp_path).arrays_sha256 is None
    assert read_arrays(tmp_path) == {}


def test_a_new_record_without_arrays_leaves_no_old_ones(run):
    write_record(RECORD, {}, run)
    assert read_arrays(run) == {}
    assert [path.name for path in run.iterdir()] == ["record.json"]


def test_a_failed_record_needs_a_reason_and_may_hold_nan(tmp_path):
    failed = replace(
        RECORD, status="failed", error="loss is NaN", metrics={"ndcg@10": Interval(float("nan"))}
    )
    write_record(failed, {}, tmp_path)
    assert read_record(tmp_path).error == "loss is NaN"
    spoil(tmp_path, error="two\nlines")
    assert "error: found 'two\\nlines', expected one line" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "schema_version: found 2, expected 1"),
        (
            {"sed": 0, "seed": ...},
            "record: found 'sed', expected only the keys of schema 1 (did you mean 'seed'?)",
        ),
        ({"machine": {"cpus": "a"}}, "machine: found 'no cpu', expected a key 'cpu' (did you mean 'cpus'?)"),
        ({"seed": ...}, "record: found 'no seed', expected a key 'seed'"),
        ({"seed": True}, "seed: found True, expected an integer"),
        ({"seed": "0"}, "seed: found '0', expected an integer"),
        ({"stage": "recal"}, "(did you mean 'recall'?)"),
        ({"status": "okay"}, "status: found 'okay', expected 'ok' or 'failed' (did you mean 'ok'?)"),
        ({"error": "boom"}, "error: found 'boom', expected null"),
        ({"record_id": "0123"}, "record_id: found '0123', expected 16 hex characters"),
        ({"dataset": "../up"}, "dataset: found '../up', expected a plain name"),
        ({"protocol": "global-time"}, "protocol: found 'global-time', expected name@version/window"),
        ({"created": "yesterday"}, "created: found 'yesterday', expected UTC such as"),
        ({"config": []}, "config: found [], expected an object"),
        ({"population": {"requests": 1, "requests_with_target": 1}}, "a key 'new_users'"),
        ({"metrics": {"mrr": {"mean": 1, "lo": 0, "high": 2}}}, "metrics['mrr']: found 'high'"),
        ({"metrics": {"mrr": 0.5}}, "metrics['mrr']: found 0.5, expected an object"),
        (
            {"metrics": {"mrr": {"mean": float("nan"), "lo": None, "hi": None}}},
            "metrics['mrr'].mean: found nan",
        ),
        ({"metrics": {"mrr": {"mean": 1, "lo": 0, "hi": float("inf")}}}, "finite lo <= mean <= hi"),
        ({"metrics": {"mrr": {"mean": 1, "lo": 2, "hi": 3}}}, "finite lo <= mean <= hi"),
        ({"metrics": {"mrr": {"mean": 1, "lo": None, "hi": 3}}}, "finite lo <= mean <= hi"),
    ],
)
def test_what_is_wrong_is_named(run, changes, message):
    spoil(run, **changes)
    assert message in refusal(run)


def test_torn_json(run):
    path = run / "record.json"
    path.write_bytes(path.read_bytes()[:200])
    assert "expected a whole record" in refusal(run)
    path.write_text("[1]")
    assert "record: found [1], expected an object" in refusal(run)
    path.write_bytes(b"\xff\xfe")
    assert "expected a whole record" in refusal(run)


def test_tampered_and_missing_arrays(run):
    path = run / "users.npz"
    np.savez_compressed(path, **ARRAYS | {"user/recall@20": np.ones(3, np.float32)})
    with pytest.raises(RecordError, match=r"users\.npz: arrays_sha256: found '[0-9a-f]{64}'"):
        read_record(run)
    path.unlink()
    with pytest.raises(RecordError, match=r"users\.npz: found No such file"):
        read_record(run)


def test_torn_and_pickled_arrays(run):
    path = run / "users.npz"
    whole = path.read_bytes()
    for spoiled in (whole[:100], b"", whole[:80] + bytes(40) + whole[120:]):
        path.write_bytes(spoiled)
        with pytest.raises(RecordError, match="expected an npz file"):
            read_arrays(run)
    np.savez(path, **{"user/x": np.array([{}], object)})
    with pytest.raises(RecordError, match="expected an npz file"):
        read_arrays(run)


def test_the_name_of_a_published_record_is_its_id(run, tmp_path):
    other = tmp_path / "fedcba9876543210.json"
    other.write_bytes((run / "record.json").read_bytes())
    assert "expected fedcba9876543210, the name of the file" in refusal(other)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"users/x": np.ones(3)}, "expected a name user/<metric>"),
        ({"user/x": np.ones(3), "user/y": np.ones(4)}, r"user/y: found \(4,\)"),
        ({"user/x": np.ones((3, 1))}, r"found \(3, 1\)"),
        ({"user/x": np.ones(0)}, r"found \(0,\)"),
        ({"boot/x": np.ones(3)}, r"expected the shape of every boot/ array, \(200,\)"),
        ({"user/x": np.array([np.inf])}, "found 'inf'"),
        ({"user/x": np.ones(3, int)}, "expected floats"),
    ],
)
def test_arrays_that_could_not_be_used_are_not_written(tmp_path, arrays, message):
    with pytest.raises(RecordError, match=message):
        write_record(RECORD, arrays, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": {"mrr": Interval(float("nan"))}},
        {"config": {"lr": float("inf")}},
        {"config": {"path": object()}},
        {"entry": ""},
    ],
)
def test_a_record_that_could_not_be_read_is_not_written(tmp_path, change):
    with pytest.raises(RecordError):
        write_record(replace(RECORD, **change), ARRAYS, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_module_is_light():
    code = "import sys, benchmarks.record; print({'zoo', 'torch', 'lightning'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"

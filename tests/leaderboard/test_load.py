"""Finding, reading and publishing records."""

import json

import pytest

from benchmarks.record import RecordError, read_record
from leaderboard.load import find, publish, read, select
from tests.leaderboard.conftest import make_run


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}


def test_find_and_read_runs_and_published_records_alike(runs, tmp_path):
    publish([runs], tmp_path / "records")
    (runs / "notes.json").write_text("{}")
    by_run = {run.record.record_id: run for run in read(find(runs)) if run.record.status == "ok"}
    published = {run.record.record_id: run for run in read(find(tmp_path / "records"))}
    assert by_run.keys() == published.keys()
    for key, run in by_run.items():
        assert run.record == published[key].record
        for metric, values in run.replicates.items():
            assert (values == published[key].replicates[metric]).all()


def test_the_same_record_twice_is_one_run(runs, tmp_path):
    publish([runs], tmp_path / "records")
    assert len(read([*find(runs), *find(tmp_path / "records")])) == len(find(runs))


def test_publish_layout_and_idempotence(runs, tmp_path):
    target = tmp_path / "records"
    run = make_run(runs, "recall/swing", 0.2)
    lines = publish([run], target)
    stem = target / "ml-100k" / "recall" / run.name
    assert lines == [f"published  {run.name}  recall/swing, ml-100k, seed 0"]
    assert sorted(target.rglob("*.*")) == [stem.with_suffix(".json"), stem.with_suffix(".npz")]
    before = snapshot(target)
    assert publish([run, runs], target)[0].startswith("unchanged")
    assert snapshot(target).items() >= before.items()
    assert all(line.startswith("unchanged") for line in publish([target], target))


def test_publish_skips_failed_runs_and_says_so(runs, tmp_path):
    lines = publish([runs], tmp_path / "records")
    skipped = [line for line in lines if line.startswith("skipped")]
    assert len(skipped) == 1
    assert "recall/swing" in skipped[0]
    assert "failed, UserError: no <column> 'time'" in skipped[0]
    assert len(find(tmp_path / "records")) == len(lines) - 1


def test_publish_replaces_what_differs(runs, tmp_path):
    run = find(runs)[0].parent
    publish([run], tmp_path / "records")
    data = json.loads((run / "record.json").read_text()) | {"code_version": "new"}
    (run / "record.json").write_text(json.dumps(data))
    assert publish([run], tmp_path / "records")[0].startswith("replaced")
    assert read_record(find(tmp_path / "records")[0]).code_version == "new"


def test_publish_copies_nothing_if_anything_is_invalid(runs, tmp_path):
    for path in find(runs)[:2]:
        path.write_text("{")
    with pytest.raises(RecordError) as caught:
        publish([runs], tmp_path / "records")
    assert len(str(caught.value).splitlines()) == 2
    assert not (tmp_path / "records").exists()


def test_publish_of_nothing_is_a_mistake(runs, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordError, match=r"found no record\.json"):
        publish([tmp_path / "empty"], tmp_path / "records")
    with pytest.raises(RecordError, match=r"found no folder.*did you mean 'runs'"):
        publish([tmp_path / "rnus"], tmp_path / "records")


def test_select(runs):
    found = read(find(runs))
    assert {run.record.stage for run in select(found, "ml-100k", "rank")} == {"rank"}
    assert select(found, None, "rerank") == []
    with pytest.raises(
        RecordError, match=r"--dataset: found 'ml-100', expected ml-100k \(did you mean 'ml-100k'"
    ):
        select(found, "ml-100", None)
    with pytest.raises(RecordError, match=r"--stage: found 'rnak'.*did you mean 'rank'"):
        select(found, None, "rnak")

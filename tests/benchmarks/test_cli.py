"""The command line on the real data; skipped where no source of it can be reached."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import load_config, prepare
from benchmarks.record import read_arrays, read_record
from zoo.core.errors import UserError

ROOT = Path(__file__).parents[2]
SUITE = "configs/suites/quickstart.yaml"
SMALL = ["seeds=[0]", "funnels=[]", "entries=[recall/popular,recall/item_cf,recall/two_tower]"]
QUICK = [*SMALL, "recall/two_tower.fit.max_epochs=1"]


@pytest.fixture(scope="module", autouse=True)
def data() -> None:
    try:
        prepare(load_config(ROOT / "configs" / "datasets" / "ml-100k.yaml"))
    except UserError as error:
        pytest.skip(str(error))


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "benchmarks", *map(str, arguments)]


def harness(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, env=environment)


def records(runs: Path) -> dict[str, Path]:
    return {json.loads(file.read_text())["entry"]: file.parent for file in runs.glob("*/record.json")}


def test_one_entry_that_fails_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    run = harness("run", SUITE, *SMALL, "recall/two_tower.fit.lr=1e9", "--runs", tmp_path)
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    found = {name: read_record(folder) for name, folder in records(tmp_path).items()}
    failed = found.pop("recall/two_tower+fit.lr=1e9")
    assert failed.status == "failed" and "TrainingDiverged" in str(failed.error)
    assert str(failed.error) in run.stdout
    assert {record.status for record in found.values()} == {"ok"} and len(found) == 2


def test_killed_and_started_again_it_ends_with_the_same_metrics(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    arguments = ["run", SUITE, *QUICK, "--runs"]
    assert harness(*arguments, whole).returncode == 0
    run = subprocess.Popen(
        command(*arguments, broken), cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not records(broken) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert 0 < len(records(broken)) < 3
    again = harness(*arguments, broken)
    assert again.returncode == 0 and "has a record" in again.stdout
    for name, folder in records(whole).items():
        ours, theirs = read_arrays(folder), read_arrays(records(broken)[name])
        assert ours.keys() == theirs.keys()
        for metric in ours:
            np.testing.assert_array_equal(ours[metric], theirs[metric], err_msg=f"{name} {metric}")
    third = harness(*arguments, broken)
    assert third.returncode == 0 and third.stdout.count("has a record") == 3


def test_every_mistake_is_told_at_once_and_nothing_is_run(tmp_path: Path) -> None:
    wrong = ["recall/two_tower.fit.lrr=1", "recall/item_cf.params.neighbours=many", "protocol.windw=test"]
    run = harness("run", SUITE, *wrong, "--runs", tmp_path / "runs")
    assert run.returncode == 2 and "Traceback" not in run.stderr
    lines = run.stderr.splitlines()
    assert len(lines) == 3
    assert any("fit.lrr" in line and "did you mean 'lr'" in line for line in lines)
    assert any("neighbours" in line and "many" in line for line in lines)
    assert any("windw" in line and "did you mean 'window'" in line for line in lines)
    assert not (tmp_path / "runs").exists()


def test_an_unknown_suite_is_one_line(tmp_path: Path) -> None:
    run = harness("plan", "configs/suites/quickstrat.yaml", "--runs", tmp_path)
    assert run.returncode == 2 and len(run.stderr.splitlines()) == 1


def test_plan_and_list_name_everything(tmp_path: Path) -> None:
    plan = harness("plan", SUITE, "--runs", tmp_path)
    assert plan.returncode == 0 and "0 of 21 runs have a record" in plan.stdout
    names = harness("list").stdout
    assert all(
        name in names for name in ("recall/two_tower", "rerank/mmr", "ml-100k", "quickstart", "global-time")
    )

"""The command line, as a user sees it."""

import json
import re
import subprocess
import sys
import time

import pytest

from leaderboard.cli import main
from leaderboard.load import find
from tests.leaderboard.conftest import make_run


def test_help_is_quick_and_light():
    code = "import sys; sys.argv[1:] = ['--help']; import leaderboard.__main__"
    seconds = []
    for _ in range(3):  # the quickest, for the machine may be busy
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True
        )
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("publish", "show", "build"))
    # Whole names: an editable install has a module of its own that is called after the project.
    assert not re.search(r"\| +(numpy|rich|jinja2|torch|zoo)$", done.stderr, re.MULTILINE)


def test_show_json(runs, capsys):
    assert main(["show", "--json", "--records", str(runs)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["entry"] for row in rows][:2] == ["recall/two_tower", "recall/item_cf"]
    assert all(set(row["metrics"]["latency_ms/p50"]) == {"mean", "lo", "hi"} for row in rows)
    assert main(["show", "--json", "--stage", "rank", "--records", str(runs)]) == 0
    assert {row["stage"] for row in json.loads(capsys.readouterr().out)} == {"rank"}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_show_fits_the_terminal(runs, capsys, monkeypatch, width):
    make_run(
        runs, "recall/[red]two_tower[/]+model.embed_dim=128,train.learning_rate=0.001", 0.2, metric="ndcg@10"
    )
    make_run(
        runs, "recall/popular", 0.1, metric="ndcg@10", created="2026-01-01T00:00:00Z", code_version="old"
    )
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["show", "--records", str(runs)]) == 0
    text = capsys.readouterr().out
    # Prose is left to the terminal to wrap, so that it can be searched.
    tables = [line for line in text.splitlines() if not line.startswith("failed:") and " minus " not in line]
    assert max(map(len, tables)) <= width
    assert "[red]two_tower[/]" in text
    assert "older runs left out: recall/popular (1)" in text
    assert "failed: recall/swing, seed 0: UserError: no <column> 'time'" in text
    assert text.index("recall/two_tower") < text.index("recall/item_cf") < text.index("recall/popular")


def test_no_records(tmp_path, capsys):
    assert main(["show", "--records", str(tmp_path), "--dataset", "ml-1m"]) == 0
    assert capsys.readouterr().out.strip() == f"no record of a finished run in {tmp_path}"
    assert main(["show", "--json", "--records", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_mistakes_are_one_line_each_and_exit_2(runs, tmp_path, capsys):
    assert main(["show", "--records", str(runs), "--dataset", "ml-10k"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: --dataset: found 'ml-10k', expected ml-100k (did you mean"
    )
    assert main(["show", "--records", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    for path in find(runs)[:2]:
        path.write_text("{")
    assert main(["publish", str(runs), "--records", str(tmp_path / "records")]) == 2
    captured = capsys.readouterr()
    assert [line[:7] for line in captured.err.splitlines()] == ["error: "] * 2
    assert captured.out == ""


def test_publish_then_show_then_build(runs, tmp_path, capsys):
    records = str(tmp_path / "records")
    assert main(["publish", str(runs), "--records", records]) == 0
    assert main(["build", "--records", records, "--out", str(tmp_path / "site")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "site" / "index.html")

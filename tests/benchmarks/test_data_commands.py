"""`data new`, `data check` and `data show` as they are typed: what is printed, and the exit codes."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.cli import main
from benchmarks.datasets import load_config

GUIDE = Path(__file__).parents[2] / "docs" / "your-data.md"
LOG = "user_id,item_id,time,click,device\n" + "".join(
    f"u{n % 5},i{n % 7},{1_600_000_000 + 3600 * n},{int(n % 3 == 0)},{'web' if n % 2 else '[b]app'}\n"
    for n in range(70)
)
YAML = """
sources: [{kind: folder, at: ../../logs}]
events: {files: [events.csv], bad_rows: 0.1}
schema:
  context: {device: {kind: categorical}, hour: {kind: categorical, of: time}}
  behaviours: {view: {kind: exposure}, click: {where: "click == 1"}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with one dataset `web` and its log."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "140")
    (tmp_path / "configs" / "datasets").mkdir(parents=True)
    (tmp_path / "configs" / "datasets" / "web.yaml").write_text(YAML)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "events.csv").write_text(LOG)
    return tmp_path


@pytest.fixture
def guess(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess that is always the same."""
    module = ModuleType("benchmarks.datasets.guessing.guess")
    module.guess = lambda paths: f"# {' '.join(path.name for path in paths)}\n{YAML}"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)


def error_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a mistake prints."""
    assert main(["data", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.usefixtures("guess")
def test_new_writes_the_guess_under_the_logs_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "new", "logs/My Events.csv.gz", "logs/items.csv"]) == 0
    written = folder / "configs" / "datasets" / "my-events.yaml"
    assert written.read_text() == f"# My Events.csv.gz items.csv\n{YAML}"
    assert [path.name for path in written.parent.iterdir() if path.name[0] == "."] == []
    assert "python -m benchmarks data check my-events" in capsys.readouterr().out


@pytest.mark.usefixtures("guess")
def test_new_can_be_told_the_name_or_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "new", "logs/events.csv", "--name", "shop"]) == 0
    assert (folder / "configs" / "datasets" / "shop.yaml").exists()
    assert main(["data", "new", "logs/events.csv", "--out", "mine/shop.yaml"]) == 0
    assert (folder / "mine" / "shop.yaml").exists()
    assert "data check mine/shop.yaml" in capsys.readouterr().out


@pytest.mark.usefixtures("guess")
def test_new_overwrites_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_of(capsys, "new", "logs/events.csv", "--name", "web")
    assert line.startswith("error: configs/datasets/web.yaml: is there already")
    assert (folder / "configs" / "datasets" / "web.yaml").read_text() == YAML


@pytest.mark.usefixtures("guess")
@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--name", "../web"], "--name: found '../web', expected"),
        (["--out", "web.json"], "--out: found web.json, expected"),
        (["--out", "logs/events.csv/web.yaml"], "logs/events.csv/web.yaml: cannot be written"),
    ],
)
def test_new_refuses_what_it_cannot_write(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert text in error_of(capsys, "new", "logs/events.csv", *words)


def test_check_prints_the_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "web"]) == 0
    out, err = capsys.readouterr()
    assert "70 events of 5 users with 7 items in 2.9 days" in out
    assert re.search(r"click +│ positive +│ view +│ 70 +│ 0.3429", out)
    assert "[b]app" in out, "a raw value was read as markup"
    assert (err, "warning" in out) == ("", False)


def test_check_takes_a_file_too(folder: Path) -> None:
    assert main(["data", "check", str(folder / "configs" / "datasets" / "web.yaml")]) == 0


def test_check_tells_of_bad_rows_also_when_the_files_were_read_long_ago(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "logs" / "events.csv").write_text(LOG + "u1,i1,noon,1,web\n")
    for _ in range(2):
        assert main(["data", "check", "web"]) == 0
        out = capsys.readouterr().out
        assert "rows read: 71, of which bad: 1" in out
        assert "1 of 71 rows read are bad and left out (events.csv:72: " in out
        monkeypatch.setattr("benchmarks.datasets.cache.acquire", lambda *_: pytest.fail("read again"))


def test_a_damaged_report_is_no_reason_to_read_again(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["data", "check", "web"]) == 0
    (report,) = (folder / "cache" / "datasets").glob("*/report.json")
    monkeypatch.setattr("benchmarks.datasets.cache.acquire", lambda *_: pytest.fail("read again"))
    for text in ("", "{", '[{"table": "events"}]', "[3]", '{"a": 1}'):
        report.write_text(text)
        capsys.readouterr()
        assert main(["data", "check", "web"]) == 0
        assert "rows read" not in capsys.readouterr().out


def test_statistics_that_differ_exit_with_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "configs" / "datasets" / "web.yaml").write_text(YAML + "statistics: {events: 71, users: 5}\n")
    assert main(["data", "check", "web"]) == 1
    assert capsys.readouterr().err == "error: web: statistics.events: 71 stated, 70 found\n"


def test_show_prints_the_schema_and_rows_before_and_after_encoding(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["data", "show", "web", "--rows", "2"]) == 0
    out = capsys.readouterr().out
    assert re.search(
        r"device +│ context +│ categorical +│ 3 +│ +│ 100.0% +│ (\[b\]app, web|web, \[b\]app)", out
    )
    # The first row of the log is u0's first event, the last u4's last.
    assert re.search(r"user_id +│ u0 → 1 +│ u4 → 5 ", out)
    assert re.search(r"item_id +│ i0 → 1 +│ i6 → 7 ", out)
    assert re.search(r"device +│ \[b\]app → 1 +│ web → 2 ", out)
    assert re.search(r"hour +│ 2020-09-13 12:26 → 13 +│ 2020-09-16 09:26 → 10 ", out)
    assert re.search(r"label:click +│ 1 +│ 1 ", out)


def test_show_shows_as_many_rows_as_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "web"]) == 0
    assert len(set(re.findall(r"event \d+", capsys.readouterr().out))) == 10
    assert error_of(capsys, "show", "web", "--rows", "0") == "error: --rows: found 0, expected at least 1"


def test_statistics_and_features_of_events_are_read_and_shown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = (
        "  statistics: {windows: [1d, all]}\n"
        "  event: {click: {kind: categorical}, age: {kind: numeric, transform: log, of: time}}\n"
    )
    (folder / "configs" / "datasets" / "web.yaml").write_text(YAML + more)
    assert main(["data", "check", "web"]) == 0
    out = capsys.readouterr().out
    # Each user comes every 5 hours and each item every 7, so all but the first have something to count.
    assert re.search(r"user_count +│ 92.9% +│ 92.9%", out) and re.search(r"item_rate:click +│ 90.0% ", out)
    assert re.search(r"click +│ event +│ 100.0% ", out)
    assert main(["data", "show", "web", "--rows", "2"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"user_count:1d +│ user +│ numeric +│ +│ +│ 92.9% ", out)
    assert re.search(r"history:click:click +│ event +│ categorical +│ 3 +│ 20 +│ 100.0% +│ 0, 1 ", out)
    # The last event is u4's: four clicks before it, one every 15 hours, and four views within a day.
    assert re.search(r"history:click:age +│ none +│ 10.9 11.59 12 …4", out)
    assert re.search(r"user_count:1d +│ 0 +│ 1.609 ", out)


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_dataset_that_is_not_there_is_one_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_of(capsys, command, "wep")
    assert line == "error: no dataset 'wep' (did you mean 'web'?) in configs/datasets, found web"
    assert "nowhere.yaml" in error_of(capsys, command, "nowhere.yaml")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [("device:", "divice:", "divice"), ("click == 1", "klick == 1", "klick"), ("logs", "lost", "lost")],
)
@pytest.mark.parametrize("command", ["check", "show"])
def test_a_mistake_in_the_yaml_is_one_line(
    command: str, old: str, new: str, text: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "configs" / "datasets" / "web.yaml").write_text(YAML.replace(old, new))
    assert text in error_of(capsys, command, "web")


def test_the_guide_works_from_top_to_bottom(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = folder / "configs" / "datasets" / "shop.yaml"
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE):
        if language == "python":
            exec(compile(text, str(GUIDE), "exec"), {})
        elif language == "yaml":
            assert load_config(written).schema.behaviours, "nothing was guessed"
            written.write_text(text)
        elif language == "text":
            assert text in capsys.readouterr().out
        else:
            for words in map(shlex.split, text.splitlines()):
                # The guide ends with a suite of the repository.
                assert words[3] == "plan" or main(words[3:]) == 0

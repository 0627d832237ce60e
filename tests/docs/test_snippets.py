"""What the guides show works: Python runs, YAML is accepted, commands parse, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import benchmarks.cli
import benchmarks.speed.__main__
import leaderboard.cli
from benchmarks.configs import EntryConfig
from benchmarks.datasets import DatasetConfig
from benchmarks.funnels import FunnelConfig
from benchmarks.protocols import ProtocolConfig
from benchmarks.suite import resolve_suite
from tests import tiny
from zoo.core import registry
from zoo.core.check import check
from zoo.core.yaml import load

ROOT = Path(__file__).parents[2]
GUIDES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "ARCHITECTURE.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
COMMANDS = {
    "benchmarks": benchmarks.cli,
    "benchmarks.speed": benchmarks.speed.__main__,
    "leaderboard": leaderboard.cli,
}


def blocks(path: Path, *languages: str) -> list[str]:
    found = re.findall(r"^```(\w+)\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)
    return [text for language, text in found if language in languages]


def cases(*languages: str) -> list[object]:
    return [
        pytest.param(text, id=f"{path.stem}-{number}")
        for path in GUIDES
        for number, text in enumerate(blocks(path, *languages))
    ]


def commands() -> list[object]:
    lines = [
        line
        for path in GUIDES
        for text in blocks(path, "bash", "console", "sh")
        for line in text.splitlines()
    ]
    return list(dict.fromkeys(line.removeprefix("$ ").strip() for line in lines if line.strip()))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the saved models that a snippet may load."""
    folder = tmp_path_factory.mktemp("workspace")
    tiny.save(folder)
    return folder


@pytest.fixture
def registry_as_it_was() -> Iterator[None]:
    known = dict(registry._CLASSES)
    yield
    for name in registry._CLASSES.keys() - known.keys():
        if name not in registry._built_in():
            del registry._CLASSES[name]


@pytest.mark.parametrize(
    "path", [path for path in GUIDES if blocks(path, "python")], ids=lambda path: path.stem
)
@pytest.mark.usefixtures("registry_as_it_was")
def test_the_python_of_a_guide_runs(path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    # A real module, because dataclasses look up their annotations in it.
    module = type(sys)(f"snippets_of_{path.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for text in blocks(path, "python"):
        exec(compile(text, str(path), "exec"), module.__dict__)


@pytest.mark.parametrize("text", cases("yaml"))
def test_the_yaml_of_a_guide_is_accepted(text: str, tmp_path: Path) -> None:
    path = tmp_path / "guide.yaml"
    path.write_text(text)
    if "\nseeds:" in text:
        assert resolve_suite(path, configs_root=ROOT / "configs").runs
    else:
        kinds = {"model:": EntryConfig, "stages:": FunnelConfig, "sources:": DatasetConfig}
        kinds |= {"split:": ProtocolConfig}
        (kind,) = (kind for key, kind in kinds.items() if re.search(rf"^{key}", text, re.MULTILINE))
        check(load(path), kind)


@pytest.mark.parametrize("line", commands())
def test_a_command_of_a_guide_is_one(line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
        return
    assert words[:2] == ["python", "-m"], f"{line}: neither make nor python -m"
    parsed = COMMANDS[words[2]]._parser().parse_args(words[3:])
    if words[2] == "benchmarks" and words[3] in ("run", "plan"):
        assert resolve_suite(ROOT / parsed.suite, parsed.changes, ROOT / "configs").runs


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_links_between_files_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)|(?:src|href)=\"([^\"]+)\"", path.read_text())
    for link in (first or second for first, second in links):
        assert link.startswith("https://") or (path.parent / link).exists(), link


def test_the_scripts_parse() -> None:
    for script in (".ci/run", "tests/wheel_in_empty_venv.sh", ".ci/venv.sh"):
        subprocess.run(["bash", "-n", ROOT / script], check=True)
        assert (ROOT / script).stat().st_mode & 0o100, f"{script} is not executable"

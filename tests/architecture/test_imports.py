"""The import contracts of pyproject.toml: they hold, and each would catch what it is for."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("zoo", "benchmarks", "leaderboard")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

# One import a contract must refuse; each breaks its own contract, some break the layers too.
PLANTED = {
    "floors": ("benchmarks/plan.py", "import leaderboard.load"),
    "zoo": ("zoo/layers/mlp.py", "import zoo.losses"),
    "funnel": ("zoo/funnel/fusion.py", "import zoo.index"),
    "models": ("zoo/training/optim.py", "import zoo.metrics"),
    "siblings": ("zoo/rank/dcn_v2.py", "import zoo.rank.lr"),
    "records": ("benchmarks/record.py", "import torch"),
    "board": ("leaderboard/load.py", "import benchmarks.plan"),
    "indexes": ("zoo/recall/two_tower.py", "import hnswlib"),
    "numba": ("zoo/core/topk.py", "import numba"),
    "trees": ("zoo/training/rank.py", "import lightgbm"),
    "lightning": ("zoo/funnel/trace.py", "import pytorch_lightning"),
    "datasets": ("benchmarks/world.py", "import datasets"),
}


def lint(folder: Path, *arguments: str) -> str:
    # Not the script `lint-imports`, which may belong to another environment.
    code = "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())"
    command = [sys.executable, "-c", code, "--no-cache", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return done.stdout


def test_the_contracts_hold() -> None:
    report = lint(ROOT)
    assert f"{len(CONTRACTS)} kept, 0 broken" in report, report


@pytest.fixture(scope="module")
def report_of_a_bad_copy(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bad")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "records")
        )
    for file, line in PLANTED.values():
        with (folder / file).open("a") as target:
            target.write(f"\n{line}\n")
    (folder / "zoo/stray.py").write_text('"""Belongs to no floor."""\n')
    return lint(folder)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["id"])
def test_a_contract_catches_what_it_is_for(contract: dict[str, str], report_of_a_bad_copy: str) -> None:
    file, line = PLANTED[contract["id"]]
    source, imported = file.removesuffix(".py").replace("/", "."), line.removeprefix("import ")
    name = contract["name"]
    section = report_of_a_bad_copy.partition(f"\n{name}\n{'-' * len(name)}\n")[2].partition("\n---")[0]
    assert f"{source} -> {imported}" in section, report_of_a_bad_copy


def test_a_module_on_no_floor_is_refused(report_of_a_bad_copy: str) -> None:
    assert "stray" in report_of_a_bad_copy

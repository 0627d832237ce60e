"""What must be quick is quick, and imports no more than it needs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "pytorch_lightning", "torchmetrics", "numpy", "pyarrow", "datasets", "omegaconf", "rich"}


def run(*arguments: str) -> tuple[float, str]:
    """Seconds, the best of three, and what was printed."""
    seconds, output = [], ""
    for _ in range(3):
        started = time.perf_counter()
        output = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        seconds.append(time.perf_counter() - started)
    return min(seconds), output


def loaded_by(code: str) -> set[str]:
    """The top-level modules that are loaded after `code`."""
    output = run("-c", f"import sys; {code}; print(*(name.split('.')[0] for name in sys.modules))")[1]
    return set(output.splitlines()[-1].split())


def test_listing_the_models_takes_no_time_and_no_torch() -> None:
    code = "import zoo, sys; print(*zoo.list_models()); assert 'torch' not in sys.modules"
    seconds, output = run("-c", code)
    assert "rank/dcn_v2" in output.split()
    assert seconds < 0.3
    assert not loaded_by("import zoo; zoo.list_models()") & HEAVY


@pytest.mark.parametrize(
    "code",
    [
        "from benchmarks.cli import main; main(['list'])",
        "from benchmarks.datasets import load_config; load_config('configs/datasets/kuairand_pure.yaml')",
        "from zoo.data.expression import parse_expression; parse_expression('rating >= 4 and tag is null')",
    ],
)
def test_what_only_reads_configs_loads_neither_arrow_nor_torch(code: str) -> None:
    assert not loaded_by(code) & {"torch", "numpy", "pyarrow", "datasets"}


@pytest.mark.parametrize("module", ["benchmarks", "leaderboard"])
def test_help_is_quick(module: str) -> None:
    seconds, output = run("-m", module, "--help")
    assert output.startswith("usage: python -m ")
    assert seconds < 1


def test_the_leaderboard_runs_without_torch_or_zoo() -> None:
    loaded = loaded_by("from leaderboard.cli import main; main(['show'])")
    assert "benchmarks" in loaded
    assert not loaded & {"zoo", "torch", "pytorch_lightning", "torchmetrics"}

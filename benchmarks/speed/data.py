"""A log of the shape of ML-20M: prepared once, loaded again, and served in batches from mapped memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv

from benchmarks.speed.options import Options

if TYPE_CHECKING:
    from zoo.data.log import Log

ROWS, USERS, ITEMS = 20_000_000, 138_493, 26_744
BATCH, FEATURES, SAMPLES = 4096, 10, 4_000_000

YAML = """\
events: {files: [ratings.csv], columns: {user_id: userId, item_id: movieId, time: timestamp}}
sources: [{kind: folder, at: .}]
schema:
  context: {hour: {kind: categorical, of: time}, weekday: {kind: categorical, of: time}}
  behaviours: {watch: {}, like: {where: "rating >= 4"}}
"""


def measure(options: Options) -> dict[str, float | str]:
    """Times each step in a process of its own, so that its peak memory is its own."""
    rows = options.rows or ROWS
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        generate(folder, rows)
        steps = ("prepare", "load", "serve")
        found: dict[str, float | str] = {"rows": rows, "threads": os.cpu_count() or 1}
        for step in steps:
            command = [sys.executable, "-m", "benchmarks.speed.data", step, temp]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            for part in done.stdout.split():
                key, _, value = part.partition("=")
                found[f"{step}_{key}"] = float(value)
        return found


def generate(folder: Path, rows: int, seed: int = 0) -> None:
    """Writes `ratings.csv` with skewed users and items, and the YAML that describes it."""
    draw = np.random.default_rng(seed)
    users = np.minimum(draw.zipf(1.3, rows), USERS) * 7919 % USERS + 1
    items = np.minimum(draw.zipf(1.2, rows), ITEMS) * 7919 % ITEMS + 1
    table = pa.table(
        {
            "userId": users,
            "movieId": items,
            "rating": draw.integers(1, 11, rows) / 2,
            "timestamp": draw.integers(800_000_000, 1_420_000_000, rows),
        }
    )
    pcsv.write_csv(table, folder / "ratings.csv")
    (folder / "ml-20m-shape.yaml").write_text(YAML)


def step(name: str, folder: Path) -> dict[str, float]:
    """One step in this process: what it measured."""
    import torch

    from benchmarks.datasets import load_config, prepare

    torch.set_num_threads(1 if name == "serve" else os.cpu_count() or 1)
    config = load_config(folder / "ml-20m-shape.yaml")
    started = time.perf_counter()
    log = prepare(config, folder / "cache").log
    found = {"seconds": time.perf_counter() - started, "rows": log.events.num_rows}
    if name == "serve":
        found = _serve(log)
    found["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found["anonymous_gib"] = _anonymous_gib()
    return found


def _serve(log: Log) -> dict[str, float]:
    """Samples a second of ten features in shuffled batches, from columns that lie in mapped memory."""
    from zoo.data.marks import tensor_of
    from zoo.data.views import BatchLoader, ColumnView

    columns = [tensor_of(log.events[name]) for name in ("user", "item", "time")]
    view = ColumnView({f"feature_{n}": columns[n % len(columns)] for n in range(FEATURES)})
    batches = iter(BatchLoader(view, BATCH, seed=0))
    next(batches)  # The order of an epoch is drawn before its first batch.
    started, samples = time.perf_counter(), 0
    for batch, _ in zip(batches, range(SAMPLES // BATCH), strict=False):
        samples += len(batch["feature_0"])
    return {"samples_per_second": samples / (time.perf_counter() - started)}


def _anonymous_gib() -> float:
    """Memory that is not of mapped files, which the system may drop at any time."""
    lines = Path("/proc/self/status").read_text().splitlines() if Path("/proc/self/status").exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 2**20


if __name__ == "__main__":
    print(" ".join(f"{key}={value:.4g}" for key, value in step(sys.argv[1], Path(sys.argv[2])).items()))

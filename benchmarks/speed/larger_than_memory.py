"""A logistic regression trained on a mapped Arrow file, in a process whose memory is a fraction of the file.

The limit is the system's own (`RLIMIT_DATA`): on all private memory of the process, with its libraries, and
not on the pages of mapped files, which can be dropped at any time. That the columns do not fit is shown by a
copy of them under the same limit.
"""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from benchmarks.speed.options import Options
from zoo.data.marks import tensor_of
from zoo.data.views import BatchLoader, ColumnView

ROWS, FEATURES, VALUES = 15_000_000, 20, 10_000
LIMIT = 640 * 2**20
BATCH, LEARNING_RATE = 8192, 0.1
FILE = "events.arrow"
LABEL = "label:click"
STEPS: dict[str, Callable[[Path, int], dict[str, float]]] = {}


def measure(options: Options) -> dict[str, float | str]:
    """Generates the file, copies it and trains on it, each in a process of its own under the limit."""
    rows = options.rows or ROWS
    with tempfile.TemporaryDirectory() as temp:
        generate(Path(temp), rows)
        size = (Path(temp) / FILE).stat().st_size
        found: dict[str, float | str] = {"rows": rows, "threads": options.threads}
        found |= {"file_gib": size / 2**30, "limit_gib": LIMIT / 2**30}
        for step in STEPS:
            found |= _limited(step, temp, options.threads)
    return found


def generate(folder: Path, rows: int, seed: int = 0) -> None:
    """Writes `FILE`, one piece of categorical columns and a click that follows them, a column at a time."""
    draw = np.random.default_rng(seed)
    logit = np.full(rows, -1.0, np.float32)
    columns = {}
    for feature in range(FEATURES):
        values = (VALUES * draw.random(rows, np.float32) ** 4).astype(np.int64)  # a few are frequent
        logit += draw.normal(0, 0.4, VALUES).astype(np.float32)[values]
        columns[f"feature_{feature}"] = _mapped(folder / f"{feature}.bin", values)
    clicks = draw.random(rows, np.float32) < 1 / (1 + np.exp(-logit))
    columns[LABEL] = _mapped(folder / "label.bin", clicks.astype(np.float32))
    batch = pa.RecordBatch.from_pydict(columns)
    with pa.OSFile(str(folder / FILE), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)
    for path in folder.glob("*.bin"):
        path.unlink()


def _mapped(path: Path, values: np.ndarray[Any, Any]) -> pa.Array:
    """The values as an Arrow array that lies on disk."""
    values.tofile(path)
    with pa.memory_map(str(path)) as file:
        kind = pa.from_numpy_dtype(values.dtype)
        return pa.Array.from_buffers(kind, len(values), [None, file.read_buffer()])


def _limited(step: str, folder: str, threads: int) -> dict[str, float | str]:
    command = [sys.executable, "-m", "benchmarks.speed.larger_than_memory", step, folder, str(threads)]
    # More arenas than one each reserve memory that nobody uses.
    environment = os.environ | {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    pairs = [part.partition("=") for part in done.stdout.split()]
    return {f"{step}_{key}": float(value) for key, _, value in pairs}


def copy(folder: Path, threads: int) -> dict[str, float]:
    """Whether all columns fit into memory as copies."""
    try:
        kept = [column.clone() for column in opened(folder).values()]
    except RuntimeError:  # of torch's allocator
        return {"fits": 0.0}
    return {"fits": float(len(kept) == FEATURES + 1)}


def train(folder: Path, threads: int) -> dict[str, float]:
    """One epoch in shuffled batches; the log loss of its last tenth, before each batch is learned from."""
    torch.manual_seed(0)
    columns = opened(folder)
    loader = BatchLoader(ColumnView(columns), BATCH, seed=0)
    weights = nn.EmbeddingBag(FEATURES * VALUES, 1, mode="sum")
    nn.init.zeros_(weights.weight)
    bias = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adagrad([*weights.parameters(), bias], LEARNING_RATE)
    place, losses, clicks, peak = torch.arange(FEATURES) * VALUES, [], 0.0, 0.0
    started, worked = time.perf_counter(), time.process_time()
    for number, batch in enumerate(loader):
        label = batch.pop(LABEL)
        logit = weights(torch.stack(list(batch.values()), 1) + place).squeeze(1) + bias
        loss = nn.functional.binary_cross_entropy_with_logits(logit, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        clicks += float(label.sum())
        peak = peak if number % 100 else max(peak, anonymous_gib())
    seconds, cpu, rows = time.perf_counter() - started, time.process_time() - worked, len(loader.view)
    last = losses[-max(1, len(losses) // 10) :]
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "samples_per_cpu_second": rows / cpu,
        "anonymous_gib": peak,
        "logloss": sum(last) / len(last),
        "logloss_of_the_rate": entropy(clicks / rows),
    }


def opened(folder: Path) -> dict[str, Tensor]:
    """The columns, over the mapped file."""
    table = pa.ipc.open_file(pa.memory_map(str(folder / FILE))).read_all()
    return {name: tensor_of(table[name]) for name in table.column_names}


def entropy(rate: float) -> float:
    """The log loss of who always says the rate."""
    return -rate * math.log(rate) - (1 - rate) * math.log(1 - rate)


def anonymous_gib() -> float:
    """Memory that is not of mapped files, in GiB; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 2**20


STEPS |= {"copy": copy, "train": train}

if __name__ == "__main__":
    name, at, threads = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    torch.set_num_threads(int(threads))
    measured = STEPS[name](Path(at), int(threads))
    print(" ".join(f"{key}={value:.4g}" for key, value in measured.items()))

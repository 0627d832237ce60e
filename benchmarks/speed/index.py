"""Every kind of vector index at 100,000 vectors of 64: what building and asking takes, finds and holds.

Each kind is a process of its own on one thread. Seconds are of the processor, so that a shared machine does
not show in them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.machine import PeakMemory
from benchmarks.speed.options import Options
from zoo.index import create_index

ROWS, DIM, LATENT, QUERIES, BATCH, K = 100_000, 64, 16, 1_000, 64, 100

KINDS: dict[str, dict[str, Any]] = {
    "exact": {"name": "exact"},
    "hnswlib": {"name": "hnswlib"},
    "faiss_flat": {"name": "faiss", "kind": "flat"},
    "faiss_ivf": {"name": "faiss", "kind": "ivf"},
    "faiss_hnsw": {"name": "faiss", "kind": "hnsw"},
    "milvus_flat": {"name": "milvus", "kind": "flat"},
    "milvus_hnsw": {"name": "milvus", "kind": "hnsw"},
}


def measure(options: Options) -> dict[str, float | str]:
    """`<kind>_build_seconds`, `_query_ms`, `_recall` at 100, `_mib` held and `_peak_mib` of every kind."""
    rows = options.rows or ROWS
    found: dict[str, float | str] = {"rows": rows, "dim": DIM, "k": K, "threads": 1}
    for kind in KINDS:
        command = [sys.executable, "-m", "benchmarks.speed.index", kind, str(rows)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{kind}: {done.stderr[-2000:]}")
        own = json.loads(done.stdout.splitlines()[-1])
        found |= {f"{kind}_{name}": value for name, value in own.items()}
    return found


def generated(rows: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """`(N, D)` vectors and `(Q, D)` queries near a space of 16 dimensions, as learned embeddings lie."""
    draw = torch.Generator().manual_seed(seed)
    spread = torch.randn(LATENT, DIM, generator=draw)

    def near(count: int) -> Tensor:
        own = torch.randn(count, LATENT, generator=draw) @ spread
        return F.normalize(own + 0.5 * torch.randn(count, DIM, generator=draw), dim=1)

    return near(rows), near(QUERIES)


def one(kind: str, rows: int) -> dict[str, float]:
    """What one kind takes in this process, by cosine."""
    torch.set_num_threads(1)
    vectors, queries = generated(rows)
    index = create_index(**KINDS[kind], metric="cosine")
    # The first search of a process loads what is compiled.
    index.build(vectors[:5000], torch.arange(1, 1 + min(rows, 5000)))
    index.search(queries[:BATCH], K)
    with PeakMemory() as memory:
        started = time.process_time()
        index.build(vectors, torch.arange(1, rows + 1))
        built = time.process_time()
        for part in queries.split(BATCH):
            index.search(part, K)
        asked = time.process_time()
        peak = memory.peak_mib()
    return {
        "build_seconds": round(built - started, 2),
        "query_ms": round(1000 * (asked - built) / QUERIES, 3),
        "recall": round(index.recall_against_exact(queries, K)["recall"], 4),
        "mib": round(index.stats["bytes"] / 2**20, 1),
        "peak_mib": round(peak),
    }


if __name__ == "__main__":
    print(json.dumps(one(sys.argv[1], int(sys.argv[2]))))

"""`recall/item_cf` beside implicit's CosineRecommender: fit, and the best 100 for every user.

On one thread seconds are of the processor, which a shared machine does not disturb; else what passed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from benchmarks.machine import PeakMemory
from benchmarks.speed.options import Options, versus
from benchmarks.speed.peers import run_peer
from benchmarks.speed.shapes import ROWS, save

if TYPE_CHECKING:
    from zoo.core.types import Batch
    from zoo.training import NeighbourModel

K, N, BATCH = 99, 100, 256
PEER = Path(__file__).parent / "peer_scripts" / "implicit_item_cf.py"
Steps: TypeAlias = dict[str, float]
Array: TypeAlias = Any


def measure(options: Options) -> dict[str, float | str]:
    """Both sides on the same likes, each run in a process of its own with as many threads."""
    runs: dict[str, list[Steps]] = {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory() as temp:
        folder = save(Path(temp), options.rows or ROWS)

        def ours() -> float:
            runs["ours"].append(run_step("item_cf", folder, options.threads))
            return runs["ours"][-1]["fit"] + runs["ours"][-1]["recommend"]

        def peer() -> float:
            args = (str(folder), str(K), str(N), str(options.threads))
            runs["peer"].append(run_peer("implicit", PEER, *args, threads=options.threads))
            return runs["peer"][-1]["fit"] + runs["peer"][-1]["recommend"]

        found = versus(ours, peer, options) | same(folder)
    for side, steps in runs.items():
        found |= {f"{side}_{name}": round(statistics.median(s[name] for s in steps), 3) for name in steps[0]}
    return found


def same(folder: Path) -> dict[str, float | str]:
    """Shares of the peer's neighbours and lists that are ours too.

    Of equally similar ones each side keeps others, so neighbours count that are above the least of ours.
    """
    mine, theirs = neighbours(folder, "ours"), neighbours(folder, "peer")
    agreed = total = 0
    for item, (own, their) in enumerate(zip(mine, theirs, strict=False)):
        least = min(own.values()) + 1e-5 if len(own) == K else 0.0
        above = {other for other, similarity in their.items() if similarity > least and other != item}
        agreed, total = agreed + len(above & own.keys()), total + len(above)
    lists = (np.load(folder / f"{side}_lists.npy") for side in ("ours", "peer"))
    common = [len(set(a) & set(b)) / len(a) for a, b in zip(*lists, strict=True)]
    return {"same_neighbours": round(agreed / total, 4), "same_lists": round(statistics.mean(common), 4)}


def neighbours(folder: Path, side: str) -> list[dict[int, float]]:
    """Similarity by neighbour, of every item."""
    offsets, other, similarity = (
        np.load(folder / f"{side}_{name}.npy") for name in ("offsets", "neighbours", "similarities")
    )
    edges = pairwise(offsets.tolist())
    return [dict(zip(other[a:b].tolist(), similarity[a:b].tolist(), strict=True)) for a, b in edges]


def run_step(model: str, folder: Path, threads: int) -> Steps:
    """`step` in a process of its own, so that its peak memory is its own."""
    limits = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS")}
    command = [sys.executable, "-m", "benchmarks.speed.item_cf", model, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | limits, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: Steps = json.loads(done.stdout.splitlines()[-1])
    return found


def step(name: str, folder: Path) -> Steps:
    """Fits `recall/<name>` and recommends to all users, after one run on few likes that compiles."""
    user = np.load(folder / "user.npy")
    offsets = np.searchsorted(user, np.arange(user[-1] + 2))
    del user
    item = np.load(folder / "item.npy")
    item += 1  # Ids of models start at 1.
    run(name, offsets[:4], item[: offsets[3]])
    model, lists, found = run(name, offsets, item)
    # Not `ru_maxrss`, which a child has from the process that started it, here the one that made the likes.
    found["peak_gib"] = PeakMemory().peak_mib() / 1024
    np.save(folder / "ours_offsets.npy", model.offsets[1:].numpy())
    np.save(folder / "ours_neighbours.npy", model.targets.numpy() - 1)
    np.save(folder / "ours_similarities.npy", model.similarities.numpy())
    np.save(folder / "ours_lists.npy", lists - 1)
    return found


def run(name: str, offsets: Array, item: Array) -> tuple[NeighbourModel, Array, Steps]:
    """A fitted model, `(U, N)` what it recommends, and seconds of both.

    Args:
        name: Of the model.
        offsets: `(U + 1,)` by user, of the items.
        item: `(E,)` from 1 on.
    """
    import torch

    from zoo.core.registry import create_model
    from zoo.core.schema import Feature, Schema
    from zoo.core.types import Request

    size, sequence = int(item.max()) + 1, "history:watch"
    history = Feature(sequence, "history", "sequence", size, of="watch")
    schema = Schema((history, Feature("item_id", "item_id", "categorical", size)))
    options = {"neighbours": K, "history_length": 10_000}
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    model: NeighbourModel = create_model(f"recall/{name}", schema, **options).eval()
    started = clock()
    for batch in batches(offsets, item):
        model.count(batch)
    model.finish()
    fitted = clock()
    lists = torch.zeros(len(offsets) - 1, N, dtype=torch.int32)
    for batch in batches(offsets, item):
        seen = batch[sequence]
        lists[batch["user_id"]] = model.recall(Request(batch), N, seen).ids.int()
    return model, lists.numpy(), {"fit": fitted - started, "recommend": clock() - fitted}


def batches(offsets: Array, item: Array) -> Iterator[Batch]:
    """Histories as the harness makes them: users with many events first, so that there is little padding."""
    import torch

    from zoo.data.split import padded

    edges, items = torch.from_numpy(offsets), torch.from_numpy(item)
    order = edges.diff().argsort(descending=True, stable=True)
    for rows in order.split(BATCH):
        yield {"user_id": rows, "history:watch": padded(items, edges[rows], edges[rows + 1]).long()}


if __name__ == "__main__":
    print(json.dumps(step(sys.argv[1], Path(sys.argv[2]))))

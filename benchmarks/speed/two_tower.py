"""Training of `recall/two_tower`, whole epochs with the loader, beside torch-rechub and RecBole.

A generated log of the shape of ML-1M. In-batch softmax: a user ID, the mean of 50 items, MLPs of 64 and 32,
against torch-rechub's DSSM, which has batch norm in them. Sampled pointwise: IDs alone, against RecBole's
DSSM with one negative for each positive; ours sets each positive against negatives that the batch shares.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from benchmarks.speed.options import Options, versus
from benchmarks.speed.peers import run_peer

if TYPE_CHECKING:
    from zoo.data.snapshot import Snapshot

ROWS, USERS, ITEMS = 200_000, 6040, 3706
SIZES = {"users": USERS, "items": ITEMS, "embed_dim": 32, "hidden": [64]}
HISTORY = 50
SCRIPTS = Path(__file__).parent / "peer_scripts"
COMMON = {"embed_dim": 32, "feature_dim": 32, "hidden": [64], "dropout": 0.0, "user_id": True}
NUMBERS = ["history_size", "gap"]
"""What the towers of the peers do not get."""
CASES: dict[str, tuple[str, int, dict[str, Any]]] = {
    "in_batch_4096": ("torch-rechub", 4096, {"history_length": HISTORY}),
    "in_batch_1024": ("torch-rechub", 1024, {"history_length": HISTORY}),
    "pointwise": (
        "recbole",
        2048,
        {
            "training": "pointwise",
            "negatives": "uniform",
            "n_negatives": 64,
            "behaviours": [],
            "history_length": 1,
        },
    ),
}


def measure(options: Options) -> dict[str, float | str]:
    """Seconds of an epoch of both sides, by case."""
    torch.set_num_threads(options.threads)
    found: dict[str, float | str] = {"rows": options.rows or ROWS, "threads": options.threads}
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        snapshot = generate(folder, options.rows or ROWS)
        for name, (peer, batch_size, params) in CASES.items():
            ours = epoch_of(snapshot, batch_size, params)
            theirs = _peer(peer, folder, batch_size, options.threads)
            found |= {
                f"{name}/{key}": x for key, x in versus(ours, theirs, options).items() if key != "threads"
            }
    return found


def generate(folder: Path, rows: int, seed: int = 0) -> Snapshot:
    """A log with skewed items, and the same training rows as arrays in files for the peers."""
    from zoo.data.encode import Encoder
    from zoo.data.log import Log
    from zoo.data.roles import SchemaConfig
    from zoo.data.snapshot import Snapshot
    from zoo.data.split import Events
    from zoo.data.views import EventView

    draw = np.random.default_rng(seed)
    item = np.minimum(draw.zipf(1.2, rows), ITEMS) * 7919 % ITEMS
    columns = {"user_id": draw.integers(USERS, size=rows), "item_id": item, "time": np.arange(rows)}
    log = Log.of(pa.table({name: pa.array(x) for name, x in columns.items()}))
    events = Events.of(log, SchemaConfig())
    encoder = Encoder.fit(log, SchemaConfig(), torch.arange(log.users.num_rows))
    snapshot = Snapshot.at(log, events, encoder, rows, HISTORY)
    view = EventView(snapshot)
    batch = view.batch(torch.arange(len(view)))
    for name, key in (("user_id", "user_id"), ("item_id", "item_id"), ("history", "history:watch")):
        np.save(folder / f"{name}.npy", batch[key].numpy())
    (folder / "sizes.json").write_text(json.dumps(SIZES))
    return snapshot


def epoch_of(snapshot: Snapshot, batch_size: int, params: dict[str, Any]) -> Callable[[], float]:
    """What trains a fresh model for an epoch and tells the seconds, by the harness's own `fit`."""
    from benchmarks.fit import fit, new_model
    from zoo.data.training import training_view
    from zoo.training import EmbeddingRetrieval

    entry = {
        "model": "recall/two_tower",
        "params": COMMON | {"without": NUMBERS} | params,
        "fit": {"batch_size": batch_size},
    }

    def run() -> float:
        model = new_model(entry, snapshot.schema, 0)
        assert isinstance(model, EmbeddingRetrieval)
        view = training_view(snapshot, model.rows())
        started = time.perf_counter()
        fit(model, view, 0)
        return time.perf_counter() - started

    return run


def _peer(peer: str, folder: Path, batch_size: int, threads: int) -> Callable[[], float]:
    script = SCRIPTS / f"{peer.removeprefix('torch-')}_two_tower.py"
    return lambda: float(run_peer(peer, script, str(folder), str(batch_size), threads=threads)["seconds"])

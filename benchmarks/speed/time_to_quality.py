"""Seconds of training until a recall@20 on the validation part, beside implicit and RecBole.

Needs the real data (`ZOO_DATA`). Each side trains until the first pass that reaches the level; measuring is
not on the clock, nor is preparing the log. Ours is a fit by the harness of as many epochs as it takes,
its start from the spectrum included. A peer that does not reach the level in its passes is out of the race.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.speed.options import Options
from benchmarks.speed.peers import run_peer

if TYPE_CHECKING:
    from benchmarks.world import World
    from zoo.training import RetrievalModel

CONFIGS = Path(__file__).parents[2] / "configs"
SCRIPTS = Path(__file__).parent / "peer_scripts"
K = 20
LEVELS = {"movielens1m_m1": 0.265, "gowalla_m1": 0.15}
PEERS: dict[str, tuple[str, str, list[str], dict[str, Any]]] = {
    "implicit_als": (
        "implicit",
        "implicit_quality.py",
        ["als"],
        {"factors": 64, "alpha": 3.0, "regularization": 10.0},
    ),
    "implicit_bpr": ("implicit", "implicit_quality.py", ["bpr"], {"factors": 64, "learning_rate": 0.05}),
    "recbole_bpr": ("recbole", "recbole_quality.py", [], {"embedding_size": 64, "learning_rate": 2e-3}),
}
PASSES = 30
COMMON = {
    "feature_dim": 1,
    "hidden": [],
    "dropout": 0.0,
    "init": "spectral",
    "rows": "sets",
    "history_share": 0.5,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "movielens1m_m1": COMMON
    | {
        "embed_dim": 64,
        "negatives": "all",
        "mask_history": True,
        "activity_power": 0.7,
        "history_length": 1000,
    },
    "gowalla_m1": COMMON
    | {
        "embed_dim": 64,
        "negatives": "uniform",
        "n_negatives": 4096,
        "mask_history": True,
        "history_length": 200,
    },
}


COUNTED: dict[str, tuple[str, dict[str, Any]]] = {
    "movielens1m_m1": ("recall/ease", {"l2": 300, "history_length": 1000}),
    "gowalla_m1": (
        "recall/item_cf",
        {"neighbours": 200, "keep": "target", "seed_power": 0.6, "target_power": 0.3, "history_length": 1000},
    ),
}
"""Entries of ours that count instead of descending a gradient, which compare only as systems do."""


def measure(options: Options) -> dict[str, float | str]:
    """Seconds by side, and the fastest peer's over ours, by dataset."""
    torch.set_num_threads(options.threads)
    found: dict[str, float | str] = {"threads": options.threads}
    for dataset, level in LEVELS.items():
        with tempfile.TemporaryDirectory() as temp:
            world = export(dataset, level, Path(temp))
            sides = {"ours": ours(world, dataset, level), "counted": counted(world, dataset, level)}
            for name in PEERS:
                sides[name] = peer(name, Path(temp), options.threads)
        for name, side in sides.items():
            found |= {
                f"{dataset}/{name}": round(side["seconds"], 2),
                f"{dataset}/{name}/recall": side["recall"],
            }
        peers = [sides[name]["seconds"] for name in PEERS if sides[name]["reached"]]
        found[f"{dataset}/level"] = level
        for name in ("ours", "counted"):
            side = sides[name]
            ratio = min(peers, default=float("inf")) / side["seconds"] if side["reached"] else 0.0
            found[f"{dataset}/{name}/ratio"] = round(ratio, 2)
    return found


def export(dataset: str, level: float, folder: Path) -> World:
    """The dataset with its validation part held back, for us and, as pairs in files, for the peers."""
    from benchmarks.datasets import load_config, prepare
    from benchmarks.protocols import CandidatesConfig, ProtocolConfig
    from benchmarks.split_configs import FixedSplit
    from benchmarks.world import World

    config = load_config(CONFIGS / "datasets" / f"{dataset}.yaml")
    protocol = ProtocolConfig(
        CandidatesConfig(["recall/popular"]),
        "published",
        split=FixedSplit("fixed"),
        window="validation",
        history_length=1000,
    )
    world = World(config, protocol, prepare(config).log)
    events, requests = world.events, world.requests
    known = events.known(world.moment.stop)
    np.save(folder / "train.npy", torch.stack([events.row[known], events.item[known] - 1], dim=1).numpy())
    row, place = world.targets.nonzero(as_tuple=True)
    answers = torch.stack([requests.row[row], world.targets[row, place] - 1], dim=1)
    np.save(folder / "answers.npy", answers.numpy())
    sizes = {"users": len(events.offsets) - 1, "items": world.snapshot().schema.n_items}
    (folder / "sizes.json").write_text(json.dumps(sizes | {"level": level, "passes": PASSES}))
    return world


def ours(world: World, dataset: str, level: float) -> dict[str, Any]:
    """The first of fits of 1, 2, … epochs that reaches the level."""
    from benchmarks.fit import fit, new_model
    from zoo.data.training import training_view
    from zoo.training import EmbeddingRetrieval

    snapshot, recall, seconds = world.snapshot(), 0.0, 0.0
    for epochs in range(1, PASSES + 1):
        settings = {"batch_size": 256, "lr": 2e-3, "optimizer": "adamw", "max_epochs": epochs}
        params = SETTINGS[dataset] | {"behaviours": [world.config.schema.choice]}
        model = new_model(
            {"model": "recall/two_tower", "params": params, "fit": settings}, snapshot.schema, 0
        )
        assert isinstance(model, EmbeddingRetrieval)
        started = time.perf_counter()
        fit(model, training_view(snapshot, model.rows()), 0)
        seconds = time.perf_counter() - started
        recall = recall_of(model, world)
        if recall >= level:
            break
    return {"seconds": seconds, "passes": epochs, "recall": recall, "reached": recall >= level}


def counted(world: World, dataset: str, level: float) -> dict[str, Any]:
    """The second fit of an entry that counts: in the first, kernels are compiled."""
    from benchmarks.fit import fit, new_model
    from zoo.data.views import HistoryView
    from zoo.training import RetrievalModel

    snapshot = world.snapshot()
    name, params = COUNTED[dataset]
    entry = {"model": name, "params": params | {"behaviour": world.config.schema.choice}, "fit": {}}
    for _ in range(2):
        model = new_model(entry, snapshot.schema, 0)
        started = time.perf_counter()
        fit(model, HistoryView(snapshot), 0)
        seconds = time.perf_counter() - started
    assert isinstance(model, RetrievalModel)
    recall = recall_of(model, world)
    return {"seconds": seconds, "passes": 1, "recall": recall, "reached": recall >= level}


def recall_of(model: RetrievalModel, world: World) -> float:
    """Recall@20 on the answers, what is known masked."""
    from zoo.metrics import functional

    model.prepare(world.snapshot().catalogue)
    found = []
    for rows in torch.arange(len(world.requests)).split(1000):
        request = world.request(world.requests.take(rows))
        ids = model.recall(request, K, request.features["seen"]).ids
        found.append(functional.recall_at_k(ids, world.targets[rows], K))
    return float(torch.cat(found).nanmean())


def peer(name: str, folder: Path, threads: int) -> dict[str, Any]:
    """What a peer's race says."""
    library, script, arguments, settings = PEERS[name]
    given = [*arguments, *([str(threads)] if library == "implicit" else []), json.dumps(settings)]
    return run_peer(library, SCRIPTS / script, str(folder), *given, threads=threads)

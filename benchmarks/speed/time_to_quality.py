"""Seconds of training until levels of recall@20 on the validation part, beside implicit and RecBole.

Needs the real data (`ZOO_DATA`). Several of our entries take part, each fitted in a process of its own, so
that what it compiles is on the clock; the fastest that reaches a level is `ours`, and named. A peer trains
until the first pass that reaches it. Recall is that of the same users for all, at most `USERS`; measuring it
is not on the clock, nor is preparing the log. A peer is given up after `PASSES`, or after `PATIENCE` times
the seconds of our slowest entry that reached a level. On one thread seconds are of the processor.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.speed.options import Options
from benchmarks.speed.peers import run_peer

if TYPE_CHECKING:
    from benchmarks.world import World
    from zoo.training import RetrievalModel

CONFIGS = Path(__file__).parents[2] / "configs"
SCRIPTS = Path(__file__).parent / "peer_scripts"
K = 20
LEVELS = {"movielens1m_m1": [0.25, 0.265, 0.275], "gowalla_m1": [0.17, 0.18]}
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
PASSES, PATIENCE, USERS = 30, 3.0, 6000
_POWERS = {"keep": "target", "seed_power": 0.6, "target_power": 0.3, "activity_power": 0.75}
OURS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "movielens1m_m1": {
        "ease": ("recall/ease", {"l2": 1000.0, "history_length": 1000}),
        "ials": (
            "recall/ials",
            {"unobserved": 0.5, "l2": 0.3, "frequency_power": 0.5, "history_length": 1000},
        ),
    },
    "gowalla_m1": {
        "item_cf_30": ("recall/item_cf", _POWERS | {"neighbours": 30, "history_length": 1000}),
        "item_cf_100": ("recall/item_cf", _POWERS | {"neighbours": 100, "history_length": 1000}),
    },
}
"""Entries that are counted or solved: one fit each, whatever the level."""


def measure(options: Options) -> dict[str, float | str]:
    """Seconds by side and level, and the fastest peer's over ours, by dataset."""
    found: dict[str, float | str] = {"threads": options.threads}
    for dataset in LEVELS:
        found |= {f"{dataset}/{key}": value for key, value in race(dataset, options.threads).items()}
    return found


def race(dataset: str, threads: int) -> dict[str, float | str]:
    """Our entries, then the peers, on one dataset."""
    mine = {name: run_ours(dataset, name, threads) for name in OURS[dataset]}
    limit = PATIENCE * max(side["seconds"] for side in mine.values() if side["recall"] >= LEVELS[dataset][0])
    with tempfile.TemporaryDirectory() as temp:
        export(dataset, Path(temp), {"limit": limit, "threads": threads})
        theirs = {name: peer(name, Path(temp), threads) for name in PEERS}
    found: dict[str, float | str] = {"limit": round(limit, 2)}
    for name, side in (mine | theirs).items():
        found |= {name: round(side["seconds"], 3), f"{name}/recall": round(side["recall"], 4)}
    for place, level in enumerate(LEVELS[dataset]):
        ours = {side["seconds"]: name for name, side in mine.items() if side["recall"] >= level}
        others = {
            side["reached"][place]: name for name, side in theirs.items() if len(side["reached"]) > place
        }
        # Where no peer was there, all that is known is what the one that gave up first had taken.
        found |= _compared(f"at_{level}", ours, others, min(side["seconds"] for side in theirs.values()))
    return found


def _compared(
    at: str, ours: dict[float, str], others: dict[float, str], least: float
) -> dict[str, float | str]:
    """The fastest of each side, by seconds, and the ratio: above a number where no peer was there in time."""
    if not ours:
        return {f"{at}/ours": "none", f"{at}/ratio": "none"}
    first, second = min(ours), min(others, default=least)
    return {
        f"{at}/ours": f"{ours[first]} {first:.3f}",
        f"{at}/peer": f"{others.get(second, 'none')} {second:.3f}",
        f"{at}/ratio": f"{'' if others else 'above '}{second / first:.2f}",
    }


def run_ours(dataset: str, name: str, threads: int) -> dict[str, Any]:
    """Seconds and recall of one of our entries, from a process of its own."""
    limits = {f"{part}_NUM_THREADS": str(threads) for part in ("OMP", "MKL", "OPENBLAS")}
    command = [sys.executable, "-m", "benchmarks.speed.time_to_quality", dataset, name]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | limits, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def world_of(dataset: str) -> World:
    """The dataset with its validation part held back."""
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
    return World(config, protocol, prepare(config).log)


def export(dataset: str, folder: Path, rules: dict[str, Any]) -> None:
    """The same as pairs in files, for the peers, with the rules of the race."""
    world = world_of(dataset)
    events, requests = world.events, world.requests
    known = events.known(world.moment.stop)
    np.save(folder / "train.npy", torch.stack([events.row[known], events.item[known] - 1], dim=1).numpy())
    rows = asked(world)
    row, place = world.targets[rows].nonzero(as_tuple=True)
    answers = torch.stack([requests.row[rows][row], world.targets[rows][row, place] - 1], dim=1)
    np.save(folder / "answers.npy", answers.numpy())
    rules = rules | {"users": len(events.offsets) - 1, "items": world.snapshot().schema.n_items}
    rules |= {"levels": LEVELS[dataset], "passes": PASSES}
    (folder / "race.json").write_text(json.dumps(rules))


def asked(world: World) -> Tensor:
    """Requests `(N,)` that are measured, drawn once for all sides."""
    draw = torch.Generator().manual_seed(0)
    return torch.randperm(len(world.requests), generator=draw)[:USERS].sort().values


def timed(world: World, name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Seconds of a fit by the harness, and the recall of what came out."""
    from benchmarks.fit import fit, new_model
    from zoo.data.views import HistoryView
    from zoo.training import RetrievalModel

    snapshot = world.snapshot()
    params = params | {"behaviour": world.config.schema.choice}
    model = new_model({"model": name, "params": params, "fit": {"batch_size": 1024}}, snapshot.schema, 0)
    assert isinstance(model, RetrievalModel)
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    started = clock()
    fit(model, HistoryView(snapshot), 0)
    return {"seconds": clock() - started, "recall": recall_of(model, world)}


def recall_of(model: RetrievalModel, world: World) -> float:
    """Recall@20 on the answers, what is known masked."""
    from zoo.metrics import functional

    model.prepare(world.snapshot().catalogue)
    found = []
    for rows in asked(world).split(1000):
        request = world.request(world.requests.take(rows))
        ids = model.recall(request, K, request.features["seen"]).ids
        found.append(functional.recall_at_k(ids, world.targets[rows], K))
    return float(torch.cat(found).nanmean())


def peer(name: str, folder: Path, threads: int) -> dict[str, Any]:
    """What a peer's race says."""
    library, script, arguments, settings = PEERS[name]
    given = [*arguments, *([str(threads)] if library == "implicit" else []), json.dumps(settings)]
    return run_peer(library, SCRIPTS / script, str(folder), *given, threads=threads)


if __name__ == "__main__":
    print(json.dumps(timed(world_of(sys.argv[1]), *OURS[sys.argv[1]][sys.argv[2]])))

"""Training of rank models, whole epochs with the loader, beside the fastest peer that has the model.

Generated rows of 20 categorical and 5 numeric features and two labels, each a request with one candidate, so
that nothing is shared among rows. Vocabularies go from ten to 100,000 ids, of which few are frequent.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.speed.options import Options, fastest
from benchmarks.speed.peers import run_peer
from zoo.core.schema import Feature, Role, Schema, Task
from zoo.data.views import CandidateView, View

ROWS, BATCH = 61_440, 4096
VOCAB = {"item_id": 10_000} | {f"c{n}": round(10 ** (1 + n * 4 / 18)) for n in range(19)}
NUMBERS = [f"n{n}" for n in range(5)]
SIZES: dict[str, Any] = {
    "embed_dim": 16,
    "hidden": [400, 400, 400],
    "cross_layers": 3,
    "experts": 4,
    "tower": [32],
    "attention": [80, 40],
    "history": 50,
}
SCRIPTS = Path(__file__).parent / "peer_scripts"
PEERS = {"deepctr-torch": "deepctr_ctr", "fuxictr": "fuxictr_ctr", "torch-rechub": "rechub_ctr"}
"""The script of each."""

COMMON: dict[str, Any] = {"embed_dim": SIZES["embed_dim"], "dropout": 0.0}
PLAIN = {"structure": "stacked", "num_layers": 0}
"""Without crosses, this leaves of `rank/dcn_v2` the MLP that DIN and MMoE have."""
EXPERTS = {"kind": "mmoe", "gate_dropout": 0.0} | {key: SIZES[key] for key in ("experts", "hidden", "tower")}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "deepfm": ("rank/deepfm", {"hidden": SIZES["hidden"]}),
    "dcn_v2": ("rank/dcn_v2", {"hidden": SIZES["hidden"], "num_layers": SIZES["cross_layers"]}),
    "din": ("rank/dcn_v2", PLAIN | {"hidden": SIZES["hidden"], "history": {"kind": "din"}}),
    "mmoe": ("rank/dcn_v2", PLAIN | {"hidden": [], "head": EXPERTS}),
}
"""The model and its options."""


def measure(name: str, options: Options) -> dict[str, float | str]:
    """Seconds of an epoch of ours and of each peer, and how much longer the fastest takes."""
    torch.set_num_threads(options.threads)
    rows = options.rows or ROWS
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        schema, view = generate(folder, name, rows)
        peers = {peer: _peer(peer, folder, name, options.threads) for peer in PEERS}
        return {"rows": rows, **fastest(epoch_of(name, schema, view), peers, options)}


def generate(folder: Path, name: str, rows: int, seed: int = 0) -> tuple[Schema, CandidateView]:
    """What a model learns from, and the same rows in files for the peers."""
    draw = np.random.default_rng(seed)
    tasks = ["watch", "like"] if name == "mmoe" else ["watch"]
    schema = schema_of(SIZES["history"] if name == "din" else 0, tasks)
    columns: dict[str, Any] = {feature.name: drawn(draw, feature, (rows,)) for feature in schema}
    labels: dict[str, Any] = {task: (draw.random(rows) < 0.3).astype(np.float32) for task in tasks}
    np.savez(folder / "rows.npz", **columns, **labels)
    sizes = SIZES | {"vocab": VOCAB, "numbers": NUMBERS, "tasks": tasks}
    (folder / "sizes.json").write_text(json.dumps(sizes))
    requests = {f.name: torch.from_numpy(columns[f.name]) for f in schema if f.request_level}
    candidates = {f.name: torch.from_numpy(columns[f.name])[:, None] for f in schema if not f.request_level}
    candidates |= {f"label:{task}": torch.from_numpy(labels[task])[:, None] for task in tasks}
    return schema, CandidateView(requests, candidates, {})


def schema_of(history: int, tasks: Sequence[str] = ("watch",)) -> Schema:
    """The features, half of which are the request's, and a history of so many events, if any."""
    features = [Feature(name, _role(name), "categorical", vocab) for name, vocab in VOCAB.items()]
    features += [Feature(name, _role(name), "numeric") for name in NUMBERS]
    if history:
        features.append(Feature("history", "history", "sequence", VOCAB["item_id"], history, "watch"))
    return Schema(tuple(features), tuple(Task(task) for task in tasks))


def drawn(draw: np.random.Generator, feature: Feature, shape: tuple[int, ...]) -> Any:
    """Random values of a feature, `shape`; of a history `(*shape, length)`, full. Few ids are frequent."""
    if feature.kind == "numeric":
        return draw.standard_normal(shape, np.float32)
    shape = (*shape, feature.length) if feature.kind == "sequence" else shape
    return (draw.random(shape) ** 3 * (feature.vocab - 1)).astype(np.int64) + 1


def _role(name: str) -> Role:
    if name == "item_id":
        return "item_id"
    return "context" if int(name[1:]) % 2 else "item_stat"


def entry_of(name: str) -> dict[str, Any]:
    """The entry of a case, as a config would have it."""
    model, params = CASES[name]
    return {"model": model, "params": COMMON | params, "fit": {"batch_size": BATCH}}


def clock() -> Callable[[], float]:
    """On one thread the seconds of the processor, as others share the machine."""
    return time.process_time if torch.get_num_threads() == 1 else time.perf_counter


def epoch_of(name: str, schema: Schema, view: View) -> Callable[[], float]:
    """What trains a fresh model by the harness's own `fit`, and tells the seconds of the second epoch.

    As of the peers, the first does not count, nor what is made once for all epochs.
    """
    from benchmarks.fit import fit, new_model

    entry, seconds = entry_of(name), clock()
    entry["fit"]["max_epochs"] = 2

    def run() -> float:
        model, ends = new_model(entry, schema, 0), []
        check = model.on_train_epoch_end

        def end() -> None:
            check()
            ends.append(seconds())

        model.on_train_epoch_end = end  # type: ignore[method-assign]
        fit(model, view, 0)
        return float(np.diff(ends).item())

    return run


def _peer(peer: str, folder: Path, name: str, threads: int) -> Callable[[], float]:
    arguments = (SCRIPTS / f"{PEERS[peer]}.py", str(folder), name, str(BATCH))
    return lambda: float(run_peer(peer, *arguments, threads=threads)["seconds"])

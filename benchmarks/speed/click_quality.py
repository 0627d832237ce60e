"""How well rank models predict beside those of FuxiCTR and torch-rechub, on the same rows of real data.

Needs the data (`ZOO_DATA`). Every side has the same features, sizes, batches, rule of stopping and trials, of
which each takes the one with the highest AUC on the validation rows. A finished trial is kept below
`$ZOO_CACHE/click_quality` until the code changes, so that a run that was stopped goes on.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from benchmarks.evaluate import Measured
from benchmarks.fit import Artifacts, fit, new_model
from benchmarks.intervals import paired_difference, replicates
from benchmarks.shown_metrics import Predicted, predicted
from benchmarks.shown_metrics import measure as add_metrics
from benchmarks.speed.click_rows import Clicks, labels_of
from benchmarks.speed.options import Options
from benchmarks.speed.peer_scripts.stopping import Stopper
from benchmarks.speed.peers import PEERS, run_peer
from zoo.metrics.functional import auc
from zoo.training import RankModel

SCRIPTS = Path(__file__).parent / "peer_scripts"
SIDES = {"ours": "", "fuxictr": "fuxictr_quality.py", "torch-rechub": "rechub_quality.py"}
"""The script of each peer."""
DATASETS: dict[str, tuple[str, list[str]]] = {
    "ml-1m-ctr": ("shown-random", []),
    "trivago": ("trivago-shown", ["item_id"]),
}
"""The protocol, and what no side gets: of trivago's hotels most are seen once, and learned by heart."""
SIZES: dict[str, Any] = {
    "embed_dim": 16,
    "hidden": [128, 64],
    "cross_layers": 2,
    "dropout": 0.2,
    "batch_size": 4096,
    "epochs": 10,
    "patience": 2,
}
MODELS: dict[str, dict[str, Any]] = {"deepfm": {}, "dcn_v2": {"num_layers": SIZES["cross_layers"]}}
"""With what options of ours they have the sizes above."""
KEYS = ("auc", "logloss")


@dataclass(frozen=True)
class Trial:
    """The numbers that a side chooses: `lr`, and `decay`, the L2 penalty of embeddings, λ/2·|w|²."""

    lr: float
    decay: float
    seed: int = 0


TRIALS = [Trial(lr, decay) for lr, decay in itertools.product((1e-3, 5e-3), (0.0, 3e-6))]


@dataclass(frozen=True)
class Result:
    """What came of a trial.

    Attributes:
        trial: Its numbers.
        logits: `(M,)` of the test rows.
        validation_auc: Of the best epoch.
        epoch: Which that is, from 1.
        seconds: Of training, all epochs together, without evaluation.
    """

    trial: Trial
    logits: Tensor
    validation_auc: float
    epoch: int
    seconds: float


def measure(options: Options) -> dict[str, float | str]:
    """AUC and log loss of the test by dataset, model and side, and ours minus those of each peer."""
    torch.set_num_threads(options.threads)
    found: dict[str, float | str] = {"threads": options.threads, "trials": len(TRIALS)}
    for dataset, (protocol, without) in DATASETS.items():
        bench = Bench(Clicks.named(dataset, protocol, without), options.threads)
        for model in MODELS:
            compared = bench.compare(model)
            found |= {f"{dataset}/{model}/{key}": value for key, value in compared.items()}
    return found


def kept() -> Artifacts:
    """Where finished trials are."""
    root = Path(os.environ.get("ZOO_CACHE") or Path.home() / ".cache" / "funnelzoo")
    return Artifacts(root / "click_quality")


@dataclass
class Bench:
    """Trials on the rows of one dataset."""

    clicks: Clicks
    threads: int

    def compare(self, model: str) -> dict[str, float | str]:
        """The numbers of each side's best trial."""
        with tempfile.TemporaryDirectory() as files:
            best = {side: self._best(side, model, Path(files)) for side in SIDES}
        measured = {side: self._measured(result) for side, result in best.items()}
        found: dict[str, float | str] = {}
        for side, result in best.items():
            metrics, trial = measured[side].metrics, result.trial
            found |= {f"{side}/{key}": round(metrics[f"{key}/{self.clicks.task}"].mean, 5) for key in KEYS}
            chosen = f"lr {trial.lr:g}, decay {trial.decay:g}, epoch {result.epoch}"
            found |= {f"{side}/chosen": chosen, f"{side}/seconds": round(result.seconds, 2)}
            if side != "ours":
                found |= {
                    f"ahead_of_{side}/{key}": self._difference(measured["ours"], measured[side], key)
                    for key in KEYS
                }
        return found

    def _difference(self, ours: Measured, theirs: Measured, key: str) -> str:
        name = f"{key}/{self.clicks.task}"
        one, other = ([(side.metrics[name].mean, replicates(side.arrays, name))] for side in (ours, theirs))
        found = paired_difference(one, other)
        return f"{found.mean:+.5f} [{found.lo:+.5f}, {found.hi:+.5f}]"

    def _measured(self, result: Result) -> Measured:
        """The metrics of the test, as the harness has them."""
        measured, found = Measured(), Predicted({self.clicks.task: result.logits}, {})
        add_metrics(measured, found, self.clicks.test, self.clicks.task)
        return measured

    def _best(self, side: str, model: str, files: Path) -> Result:
        results = [self._result(side, model, trial, files) for trial in TRIALS]
        return max(results, key=lambda result: result.validation_auc)

    def _result(self, side: str, model: str, trial: Trial, files: Path) -> Result:
        """Of a trial that ran earlier, or runs now."""
        recipe: dict[str, Any] = {"dataset": self.clicks.fingerprint, "without": list(self.clicks.without)}
        recipe |= {"side": side, "peer": PEERS.get(side, []), "model": model}
        recipe |= {"trial": asdict(trial), "sizes": SIZES}

        def make(folder: Path) -> None:
            told, logits = self._run(side, model, trial, files)
            np.save(folder / "logits.npy", logits.numpy())
            (folder / "told.json").write_text(json.dumps(told))
            where = f"{self.clicks.name} {model} {side} lr {trial.lr:g} decay {trial.decay:g}"
            print(f"{time.strftime('%H:%M:%S')} {where}: {json.dumps(told)}", file=sys.stderr, flush=True)

        folder = kept().folder(recipe, make)
        told = json.loads((folder / "told.json").read_text())
        return Result(trial, torch.from_numpy(np.load(folder / "logits.npy")), **told)

    def _run(self, side: str, model: str, trial: Trial, files: Path) -> tuple[dict[str, Any], Tensor]:
        if side == "ours":
            return ours(self.clicks, model, trial)
        if not (files / "sizes.json").exists():  # Where all trials ran earlier, nobody reads it.
            self.clicks.export(files, SIZES)
        arguments = (SCRIPTS / SIDES[side], str(files), model, json.dumps(asdict(trial)))
        told = run_peer(side, *arguments, threads=self.threads)
        return told, torch.from_numpy(np.load(files / "predicted.npy")).double().logit(1e-12)


def ours(clicks: Clicks, name: str, trial: Trial) -> tuple[dict[str, Any], Tensor]:
    """How a trial of ours went, and the logits of the test rows."""
    view, validation = clicks.data.train, clicks.data
    model = cast(RankModel, new_model(entry_of(clicks, name, trial), validation.schema, trial.seed))
    labels, seconds = labels_of(validation.test, clicks.task), 0.0
    stoppers: list[Stopper] = []
    check, started = model.on_train_epoch_end, time.process_time()

    def end() -> None:
        nonlocal seconds, started
        seconds += time.process_time() - started
        check()
        if not stoppers:
            stoppers.append(Stopper(model, model.trainer.optimizers[0], SIZES["patience"]))
        model.eval()
        logits = predicted(model, validation, clicks.task).logits[clicks.task]
        model.train()
        model.trainer.should_stop = stoppers[0].ends(float(auc(logits, labels)))
        started = time.process_time()

    model.on_train_epoch_end = end  # type: ignore[method-assign]
    fit(model, view, trial.seed)
    stoppers[0].restore()
    told = {"validation_auc": stoppers[0].best, "epoch": stoppers[0].epoch, "seconds": seconds}
    return told, predicted(model, clicks.test, clicks.task).logits[clicks.task].double()


def entry_of(clicks: Clicks, name: str, trial: Trial) -> Mapping[str, Any]:
    """The entry of a trial, as a suite would have it; a batch of requests has about so many rows."""
    params = {key: SIZES[key] for key in ("embed_dim", "hidden", "dropout")}
    train = clicks.data.train
    batch = max(1, round(SIZES["batch_size"] * len(train) / len(train.shown.event)))
    numbers = {"lr": trial.lr, "weight_decay": 0.0, "embedding_decay": trial.decay, "optimizer": "adam"}
    return {
        "model": f"rank/{name}",
        "params": params | MODELS[name] | {"without": list(clicks.without)},
        "fit": numbers | {"batch_size": batch, "max_epochs": SIZES["epochs"]},
    }

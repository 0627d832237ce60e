"""Rank models beside peers: the same rows, one rule of stopping, one way to choose, the same metrics."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_shown as tiny
import torch
from sklearn.metrics import log_loss, roc_auc_score

from benchmarks.fit import Artifacts
from benchmarks.protocols import ProtocolConfig
from benchmarks.speed import click_quality
from benchmarks.speed.click_quality import Trial
from benchmarks.speed.click_rows import Clicks
from benchmarks.speed.options import Options
from benchmarks.speed.peer_scripts.stopping import Stopper

PARTS = ("train", "validation", "test")


def clicks(protocol: ProtocolConfig = tiny.TIME, without: tuple[str, ...] = ()) -> Clicks:
    return Clicks.of(tiny.world(replace(protocol, window="validation")), "f", without)


def exported(of: Clicks, folder: Path) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    of.export(folder, click_quality.SIZES)
    parts = {part: dict(np.load(folder / f"{part}.npz")) for part in PARTS}
    return parts, json.loads((folder / "sizes.json").read_text())


def test_each_file_has_the_listed_rows_of_its_time(tmp_path: Path) -> None:
    of = clicks()
    parts, sizes = exported(of, tmp_path)
    rows = iter([row for row in tiny.data() if row.action == "list"])  # in time
    price = of.data.schema["price"]
    for part in PARTS:
        columns = parts[part]
        listed = list(itertools.islice(rows, len(columns["click"])))
        assert len(listed) == len(columns["click"]) > 0
        asked = np.expm1(columns["price"] * price.std + price.mean).round().astype(int)
        found = Counter(zip(asked.tolist(), columns["click"].tolist(), strict=True))
        assert found == Counter((row.price, row.click) for row in listed)
        for name in ("item", "device", "position"):
            ids = columns["item_id" if name == "item" else name]
            often = Counter(getattr(row, name) for row in listed)
            assert sorted(Counter(ids.tolist()).values()) == sorted(often.values())
    assert next(rows, None) is None
    assert sizes["tasks"] == ["click"] and sizes["hidden"] == [128, 64]
    assert {*sizes["vocab"], *sizes["multi"], *sizes["numbers"], "click"} == parts["test"].keys()
    assert all(parts["test"][name].max() < size for name, size in sizes["vocab"].items())


def test_parts_drawn_at_random_hold_every_row_and_no_more(tmp_path: Path) -> None:
    parts, _ = exported(clicks(tiny.RANDOM), tmp_path)
    rows = [row for row in tiny.data() if row.action == "list"]
    assert sum(len(part["click"]) for part in parts.values()) == len(rows)
    assert sum(part["click"].sum() for part in parts.values()) == sum(row.click for row in rows)


def test_what_is_left_out_no_side_gets(tmp_path: Path) -> None:
    of = clicks(without=("item_id", "price"))
    parts, sizes = exported(of, tmp_path)
    assert not {"item_id", "price"} & (parts["test"].keys() | sizes["vocab"].keys() | {*sizes["numbers"]})
    assert click_quality.entry_of(of, "deepfm", Trial(1e-3, 0.0))["params"]["without"] == ["item_id", "price"]


def test_training_ends_after_two_epochs_without_gain_and_the_best_weights_count() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    stopper = Stopper(model, torch.optim.SGD(model.parameters(), lr=1.0), patience=2)
    ends, rates = [], []
    for epoch, auc in enumerate([0.6, 0.55, 0.7, 0.7, 0.69, 0.9], 1):
        torch.nn.init.constant_(model.weight, epoch)
        ends.append(stopper.ends(auc))
        rates.append(stopper.optimizer.param_groups[0]["lr"])
        if ends[-1]:
            break
    stopper.restore()
    assert ends == [False, False, False, False, True]
    assert rates == pytest.approx([1.0, 0.1, 0.1, 0.01, 0.001])
    assert (stopper.best, stopper.epoch, model.weight.item()) == (0.7, 3, 3.0)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, float]]:
    """Peers that know the labels of the test: a smaller rate predicts better, a higher validates better."""
    calls: list[tuple[str, str, float]] = []

    def peer(side: str, script: Path, folder: str, model: str, trial: str, threads: int) -> dict[str, Any]:
        assert script.exists() and threads == 1
        lr = json.loads(trial)["lr"]
        calls.append((side, model, lr))
        labels = np.load(Path(folder) / "test.npz")["click"]
        noise = np.random.default_rng(0).random(len(labels))
        np.save(Path(folder) / "predicted.npy", ((1 - 10 * lr) * labels + noise).astype(np.float32) / 2)
        return {"validation_auc": 0.5 + lr, "epoch": 1, "seconds": 2.0}

    monkeypatch.setattr(click_quality, "run_peer", peer)
    monkeypatch.setattr(click_quality, "kept", lambda: Artifacts(tmp_path / "kept"))
    monkeypatch.setattr(click_quality, "DATASETS", {"tiny": ("tiny", [])})
    monkeypatch.setattr(click_quality, "TRIALS", [Trial(1e-3, 0.0), Trial(5e-2, 1e-6)])
    monkeypatch.setattr(Clicks, "named", lambda *_: clicks())
    return calls


def test_each_side_takes_its_best_trial_on_validation(
    asked: list[tuple[str, str, float]], tmp_path: Path
) -> None:
    found = click_quality.measure(Options())
    trials = [(model, lr) for model in click_quality.MODELS for lr in (1e-3, 5e-2)]
    assert sorted(asked) == sorted((side, *t) for side in ("fuxictr", "torch-rechub") for t in trials)
    labels = exported(clicks(), tmp_path / "rows")[0]["test"]["click"]
    chosen = (0.5 * labels + np.random.default_rng(0).random(len(labels))).astype(np.float32) / 2
    for model in click_quality.MODELS:
        assert found[f"tiny/{model}/fuxictr/chosen"] == "lr 0.05, decay 1e-06, epoch 1"
        auc, loss = (found[f"tiny/{model}/fuxictr/{key}"] for key in ("auc", "logloss"))
        assert auc == pytest.approx(roc_auc_score(labels, chosen), abs=1e-5)
        assert loss == pytest.approx(log_loss(labels, chosen), abs=1e-5)
        assert 0.3 < found[f"tiny/{model}/ours/auc"] < 1 and found[f"tiny/{model}/ours/seconds"] > 0
        mean, low, high = _numbers(found[f"tiny/{model}/ahead_of_fuxictr/auc"])
        assert low <= mean <= high
        assert mean == pytest.approx(found[f"tiny/{model}/ours/auc"] - auc, abs=2e-5)


def test_a_run_that_was_stopped_goes_on(asked: list[tuple[str, str, float]]) -> None:
    first = click_quality.measure(Options())
    asked.clear()
    assert click_quality.measure(Options()) == first and not asked


def _numbers(text: object) -> list[float]:
    return [float(part) for part in str(text).replace("[", "").replace("]", "").replace(",", "").split()]

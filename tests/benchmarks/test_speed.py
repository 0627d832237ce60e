"""The scripts that measure run through, on little data."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.speed import data, evaluation, index, larger_than_memory, two_tower
from benchmarks.speed.options import Options
from zoo.data.views import EventView
from zoo.index import ADAPTERS


def test_every_step_handles_the_whole_log() -> None:
    found = data.measure(Options(rows=10_000))
    assert found["prepare_rows"] == found["load_rows"] == 10_000
    assert float(found["serve_samples_per_second"]) > 0
    assert float(found["load_seconds"]) > 0


def test_a_mapped_file_is_learned_from_in_less_memory(monkeypatch) -> None:
    """On little data a copy fits as well; that one of much does not is a figure of docs/benchmarks.md."""
    monkeypatch.setattr(larger_than_memory, "VALUES", 50)
    found = larger_than_memory.measure(Options(rows=60_000))
    assert found["copy_fits"] == 1.0
    assert 0 < float(found["train_anonymous_gib"]) < float(found["limit_gib"])
    assert float(found["train_logloss"]) < float(found["train_logloss_of_the_rate"]) - 0.02


def test_the_harness_evaluates_as_a_naive_loop_does() -> None:
    setting = evaluation.Setting.generated(users=70, items=200, events=2100)
    expected: dict[str, list[float]] = {"recall": [], "ndcg": []}
    for user, seen, targets in zip(setting.users, setting.seen, setting.targets, strict=True):
        scores = {item: float(user @ setting.items[item - 1]) for item in range(1, 201)}
        unseen = sorted(set(scores) - set(seen.tolist()), key=lambda item: -scores[item])[: evaluation.K]
        right = set(targets.tolist()) - {0}
        gains = [1 / math.log2(rank + 2) for rank, item in enumerate(unseen) if item in right]
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(len(right), evaluation.K)))
        expected["recall"].append(len(gains) / len(right))
        expected["ndcg"].append(sum(gains) / ideal)
    means = {name: pytest.approx(sum(values) / 70, rel=1e-5) for name, values in expected.items()}
    assert evaluation.Harness.of(setting).means() == means
    assert evaluation.by_torchmetrics(setting) == means


def test_every_kind_of_index_is_measured() -> None:
    assert {kind["name"] for kind in index.KINDS.values()} == set(ADAPTERS)
    found = index.one("faiss_ivf", 500)
    assert found["recall"] > 0.5 and found["build_seconds"] >= 0 and found["mib"] > 0


def test_both_sides_of_the_two_tower_get_the_same_rows(tmp_path: Path) -> None:
    snapshot = two_tower.generate(tmp_path, 3000)
    arrays = {name: np.load(tmp_path / f"{name}.npy") for name in ("user_id", "item_id", "history")}
    view = EventView(snapshot)
    assert len(view) == 3000 == len(arrays["user_id"])
    batch = view.batch(torch.arange(3000))
    assert (arrays["history"] == batch["history:watch"].numpy()).all() and arrays["history"].shape[1] == 50
    for _, size, params in two_tower.CASES.values():
        assert two_tower.epoch_of(snapshot, size, params)() > 0


def test_a_race_ends_at_its_levels_and_counts_training_alone(tmp_path: Path) -> None:
    train, answers = np.array([[0, 0], [0, 1], [1, 5], [2, 3]]), np.array([[0, 2], [1, 0], [1, 30]])
    np.save(tmp_path / "train.npy", train)
    np.save(tmp_path / "answers.npy", answers)
    rules = {"users": 3, "items": 40, "levels": [0.6, 0.7, 0.8], "passes": 4, "limit": 60.0, "threads": 1}
    (tmp_path / "race.json").write_text(json.dumps(rules))
    spec = importlib.util.spec_from_file_location("quality", two_tower.SCRIPTS / "quality.py")
    assert spec and spec.loader
    quality = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(quality)
    race, items = quality.Race(tmp_path), np.eye(40)
    # All others score 0 or less, so that a user's own 20 best are those of weight 1.
    users = np.tile(np.where(np.arange(40) < 20, 1.0, -1.0), (3, 1))
    assert race.recall(users, items, chunk=2) == np.mean([1.0, 0.5])
    turns: list[int] = []
    found = race.run(lambda: turns.append(0), lambda: (users if len(turns) == 3 else -users, items))
    # Two of three levels, both in the third pass, and the passes ran out.
    assert found["passes"] == len(turns) == 4 and found["recall"] == 0.25
    assert len(found["reached"]) == 2 and found["reached"][0] == found["reached"][1] < found["seconds"]
    race.limit = 0.0
    assert race.run(lambda: None, lambda: (users, items))["passes"] == 0

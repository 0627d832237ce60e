"""The scripts that measure run through, on little data."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import torch

from benchmarks.speed import data, two_tower
from benchmarks.speed.options import Options
from zoo.data.views import EventView


def test_every_step_handles_the_whole_log() -> None:
    found = data.measure(Options(rows=10_000))
    assert found["prepare_rows"] == found["load_rows"] == 10_000
    assert float(found["serve_samples_per_second"]) > 0
    assert float(found["load_seconds"]) > 0


def test_both_sides_of_the_two_tower_get_the_same_rows(tmp_path: Path) -> None:
    snapshot = two_tower.generate(tmp_path, 3000)
    arrays = {name: np.load(tmp_path / f"{name}.npy") for name in ("user_id", "item_id", "history")}
    view = EventView(snapshot)
    assert len(view) == 3000 == len(arrays["user_id"])
    batch = view.batch(torch.arange(3000))
    assert (arrays["history"] == batch["history:watch"].numpy()).all() and arrays["history"].shape[1] == 50
    for _, size, params in two_tower.CASES.values():
        assert two_tower.epoch_of(snapshot, size, params)() > 0


def test_a_race_ends_at_the_level_and_counts_training_alone(tmp_path: Path) -> None:
    train, answers = np.array([[0, 0], [0, 1], [1, 5], [2, 3]]), np.array([[0, 2], [1, 0], [1, 30]])
    np.save(tmp_path / "train.npy", train)
    np.save(tmp_path / "answers.npy", answers)
    sizes = {"users": 3, "items": 40, "level": 0.6, "passes": 9}
    (tmp_path / "sizes.json").write_text(json.dumps(sizes))
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
    assert found["passes"] == len(turns) == 3 and found["reached"] and found["recall"] == 0.75
    assert not quality.Race(tmp_path).run(lambda: None, lambda: (-users, items))["reached"]

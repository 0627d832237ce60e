"""The scripts that measure run through, on little data."""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.speed import ctr, data, evaluation, index, larger_than_memory, request, two_tower, vocabulary
from benchmarks.speed.__main__ import names
from benchmarks.speed.options import Options, fastest
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


def test_every_name_has_something_to_measure() -> None:
    assert {"deepfm", "dcn_v2", "din", "mmoe", "vocabulary", "request"} <= set(names())
    assert all(callable(importlib.import_module(f"benchmarks.speed.{name}").measure) for name in names())


def test_the_ratio_is_to_the_fastest_peer() -> None:
    ours, slow, quick = iter([1.0, 2.0, 4.0]), iter([9.0, 9.0, 9.0]), iter([3.0, 4.0, 4.0])
    found = fastest(lambda: next(ours), {"slow": lambda: next(slow), "quick": lambda: next(quick)}, Options())
    expected = {"ours": 2.0, "slow": 9.0, "quick": 4.0, "peer": "quick", "ratio": 2.0, "threads": 1}
    assert found == expected


@pytest.mark.parametrize("name", list(ctr.CASES))
def test_rank_models_and_peers_get_the_same_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, asked = importlib.import_module(f"benchmarks.speed.{name}"), []

    def peer(peer: str, script: Path, folder: str, *arguments: str, threads: int) -> dict[str, float]:
        assert script.exists() and arguments == (name, str(ctr.BATCH)) and threads == 1
        with np.load(Path(folder) / "rows.npz") as file:
            rows = {column: file[column] for column in file.files}
        sizes = json.loads((Path(folder) / "sizes.json").read_text())
        assert {*sizes["vocab"], *sizes["numbers"], *sizes["tasks"]} <= rows.keys()
        assert len(sizes["vocab"]) == 20 and len(sizes["numbers"]) == 5
        assert all(rows[key].min() >= 1 and rows[key].max() < size for key, size in sizes["vocab"].items())
        assert ("history" in rows) == (name == "din") and len(sizes["tasks"]) == 1 + (name == "mmoe")
        asked.append((peer, rows))
        return {"seconds": 100.0}

    monkeypatch.setattr(ctr, "run_peer", peer)
    found = module.measure(Options(rows=64, repeats=1))
    assert sorted(name for name, _ in asked) == sorted(ctr.PEERS) and found["rows"] == 64
    assert 0 < found["ours"] < 100 == found["fuxictr"] and found["ratio"] > 1


def test_what_a_model_is_given_is_what_is_in_the_file(tmp_path: Path) -> None:
    schema, view = ctr.generate(tmp_path, "din", 50)
    batch = view.batch(torch.arange(50))
    with np.load(tmp_path / "rows.npz") as file:
        assert all((batch[f.name].numpy().reshape(file[f.name].shape) == file[f.name]).all() for f in schema)
        assert (batch["label:watch"][:, 0].numpy() == file["watch"]).all()
    assert batch["history"].shape == (50, 50) and batch["item_id"].shape == (50, 1)


def test_a_step_is_timed_for_every_vocabulary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(vocabulary, "VOCABULARIES", {"10k": 10_000, "1m": 20_000, "10m": 30_000})
    schema, view = vocabulary.larger(*ctr.generate(tmp_path, "deepfm", 64), 30_000)
    assert schema["item_id"].vocab == 30_000 > view.candidates["item_id"].max() > 15_000
    found = vocabulary.measure(Options(rows=64, repeats=1))
    assert min(float(found[f"{name}_ms"]) for name in ("10k", "1m", "10m")) > 0 and found["10m_to_1m"] > 0


def test_requests_are_timed_for_every_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(request.CASES, "sim_soft_10000", {"kind": "sim_soft", "length": 100, "top": 5})
    found = request.measure(Options(rows=3, repeats=1))
    assert found["candidates"] == 3 and min(float(found[f"{case}_p50_ms"]) for case in request.CASES) > 0

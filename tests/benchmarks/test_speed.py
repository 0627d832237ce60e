"""The scripts that measure run through, on little data."""

from __future__ import annotations

import math

import pytest

from benchmarks.speed import data, evaluation, index, larger_than_memory
from benchmarks.speed.options import Options
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

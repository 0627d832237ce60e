"""The scripts that measure run through, on little data."""

from __future__ import annotations

from benchmarks.speed import data, larger_than_memory
from benchmarks.speed.options import Options


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

"""The scripts that measure run through, on little data."""

from __future__ import annotations

from benchmarks.speed import data
from benchmarks.speed.options import Options


def test_every_step_handles_the_whole_log() -> None:
    found = data.measure(Options(rows=10_000))
    assert found["prepare_rows"] == found["load_rows"] == 10_000
    assert float(found["serve_samples_per_second"]) > 0
    assert float(found["load_seconds"]) > 0

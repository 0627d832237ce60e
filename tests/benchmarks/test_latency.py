from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import latency
from zoo.core.types import Candidates, Request
from zoo.funnel import Funnel

REQUESTS = Request({"x": torch.arange(7)})


def test_single_requests_come_one_by_one_and_start_again() -> None:
    served: list[int] = []
    numbers = latency.single(lambda request: served.append(int(request.features["x"])), REQUESTS)
    assert served == [i % 7 for i in range(latency.WARM_UP + latency.REQUESTS)]
    assert numbers["latency_ms/p50"] <= numbers["latency_ms/p95"] <= numbers["latency_ms/p99"]


def test_percentiles_are_numpys_in_milliseconds() -> None:
    seconds = np.random.default_rng(0).random(50)
    numbers = latency.percentiles("a", seconds)
    assert numbers == pytest.approx({f"a/p{p}": np.quantile(seconds, p / 100) * 1000 for p in (50, 95, 99)})


def test_every_stage_of_a_funnel_is_timed_and_no_request_is_lost_in_batches() -> None:
    sizes: list[int] = []

    def stage(request: Request, candidates: Candidates) -> Candidates:
        sizes.append(len(request))
        return candidates

    funnel = Funnel([("recall", stage), ("rank", stage)])
    numbers = latency.by_stage(funnel, REQUESTS)
    assert {"latency_ms/p50", "latency_ms/recall/p95", "latency_ms/rank/p99"} <= numbers.keys()
    sizes.clear()
    assert latency.throughput(funnel, REQUESTS)["throughput/requests_per_s"] > 0
    assert sum(sizes) == 3 * 2 * 7

"""How long single requests take when everything is warm, and how many go through in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.core.types import Batch, Request
from zoo.funnel import Funnel, Trace

WARM_UP = 10
REQUESTS = 200
BATCH = 64


def single(call: Callable[[Any], object], requests: Request | Sequence[Batch]) -> dict[str, float]:
    """`latency_ms/p50`, p95 and p99 of one request at a time.

    Args:
        call: Serves a request, or a batch that holds one.
        requests: Taken one by one, from the start again if they are too few.
    """
    seconds = []
    for row in _rows(requests):
        started = time.perf_counter()
        call(row)
        seconds.append(time.perf_counter() - started)
    return percentiles("latency_ms", seconds[WARM_UP:])


def by_stage(funnel: Funnel, requests: Request) -> dict[str, float]:
    """As `single` for a whole funnel, and `latency_ms/<stage>/…` for every stage of it."""
    seconds: list[Mapping[str, float]] = []
    for row in _rows(requests):
        trace = Trace()
        funnel(row, trace=trace)
        seconds.append(trace.seconds)
    warm = seconds[WARM_UP:]
    numbers = percentiles("latency_ms", [sum(stages.values()) for stages in warm])
    for name in warm[0]:
        numbers |= percentiles(f"latency_ms/{name}", [stages[name] for stages in warm])
    return numbers


def throughput(call: Callable[[Request], object], requests: Request) -> dict[str, float]:
    """`throughput/requests_per_s` in batches, the median of three passes over all requests."""
    passes = []
    for _ in range(3):
        started = time.perf_counter()
        for start in range(0, len(requests), BATCH):
            call(requests.rows(slice(start, start + BATCH)))
        passes.append(time.perf_counter() - started)
    return {"throughput/requests_per_s": len(requests) / float(np.median(passes))}


def percentiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """`<name>/p50`, p95 and p99 in milliseconds."""
    values = np.percentile(np.asarray(seconds) * 1e3, [50, 95, 99])
    return {f"{name}/p{p}": float(value) for p, value in zip((50, 95, 99), values, strict=True)}


def _rows(requests: Request | Sequence[Batch]) -> list[Any]:
    places = [i % len(requests) for i in range(WARM_UP + REQUESTS)]
    if isinstance(requests, Request):
        return [requests.rows(slice(place, place + 1)) for place in places]
    return [requests[place] for place in places]

"""One request at a time: `rank/dcn_v2` on 500 candidates, and with `din` on 50, `sim_soft` on 10,000 events.

What is of the request is computed once for all candidates. The sizes are those of `benchmarks.speed.ctr`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.speed import ctr
from benchmarks.speed.options import Options
from zoo.core.types import Batch

CANDIDATES, LONG = 500, 10_000
REQUESTS, PASSES = 10, 20
"""A first pass is not counted."""
CASES: dict[str, dict[str, Any]] = {
    "dcn_v2": {},
    "din_50": {"kind": "din", "length": 50},
    "sim_soft_10000": {"kind": "sim_soft", "length": LONG},
}
"""How a history is read."""


def measure(options: Options) -> dict[str, float | str]:
    """Milliseconds of a request by case: the median of turns, of which each is the median of 200."""
    torch.set_num_threads(options.threads)
    candidates = options.rows or CANDIDATES
    sides = {name: served(history, candidates) for name, history in CASES.items()}
    turns = [{name: run() for name, run in sides.items()} for _ in range(options.repeats)]
    found = {f"{name}_p50_ms": round(float(np.median([turn[name] for turn in turns])), 2) for name in sides}
    long = float(np.median([turn["sim_soft_10000"] / turn["din_50"] for turn in turns]))
    return {"candidates": candidates, **found, "sim_soft_to_din": round(long, 2), "threads": options.threads}


def served(history: dict[str, Any], candidates: int) -> Callable[[], float]:
    """What ranks the candidates of one request after another, and tells the median milliseconds."""
    from benchmarks.fit import new_model
    from zoo.training import RankModel

    schema = ctr.schema_of(history.get("length", 0))
    entry = ctr.entry_of("dcn_v2")
    model = new_model(entry | {"params": entry["params"] | {"history": history}}, schema, 0).eval()
    assert isinstance(model, RankModel)
    draw = np.random.default_rng(0)

    def request() -> Batch:
        shape = {True: (1,), False: (1, candidates)}
        return {f.name: torch.from_numpy(ctr.drawn(draw, f, shape[f.request_level])) for f in schema}

    requests, seconds = [request() for _ in range(REQUESTS)], ctr.clock()

    def run() -> float:
        taken = []
        for batch in requests * (1 + PASSES):
            started = seconds()
            model.probabilities(batch)
            taken.append(seconds() - started)
        return float(np.median(taken[REQUESTS:])) * 1e3

    return run

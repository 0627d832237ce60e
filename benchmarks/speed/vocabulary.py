"""A training step of `rank/deepfm` with a vocabulary of ten thousand, a million and ten million ids.

The rows are those of `benchmarks.speed.ctr`; only the ids of one feature are drawn from more.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.speed import ctr
from benchmarks.speed.options import Options
from zoo.core.schema import Schema
from zoo.data.views import BatchLoader, CandidateView

ROWS = 40_960
VOCABULARIES = {"10k": 10_000, "1m": 1_000_000, "10m": 10_000_000}


def measure(options: Options) -> dict[str, float | str]:
    """Milliseconds of a step by size, the sizes in turns, and how they compare."""
    torch.set_num_threads(options.threads)
    rows = options.rows or ROWS
    with tempfile.TemporaryDirectory() as temp:
        schema, view = ctr.generate(Path(temp), "deepfm", rows)
    sides = {name: steps_of(*larger(schema, view, size)) for name, size in VOCABULARIES.items()}
    turns = [{name: run() for name, run in sides.items()} for _ in range(options.repeats)]

    def ratio(name: str, to: str) -> float:
        return round(statistics.median(turn[name] / turn[to] for turn in turns), 3)

    return {
        "rows": rows,
        **{f"{name}_ms": round(statistics.median(turn[name] for turn in turns), 1) for name in sides},
        "1m_to_10k": ratio("1m", "10k"),
        "10m_to_1m": ratio("10m", "1m"),
        "threads": options.threads,
    }


def larger(schema: Schema, view: CandidateView, vocab: int) -> tuple[Schema, CandidateView]:
    """The same with `vocab` items, all as likely: few rows of a batch share one."""
    features = tuple(
        dataclasses.replace(f, vocab=vocab) if f.name == "item_id" else f for f in schema.features
    )
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(1, vocab, view.candidates["item_id"].shape, generator=draw)
    candidates = view.candidates | {"item_id": ids}
    return Schema(features, schema.tasks), CandidateView(view.requests, candidates, {})


def steps_of(schema: Schema, view: CandidateView) -> Callable[[], float]:
    """What takes the steps of an epoch and tells the milliseconds of one, after a first epoch."""
    from benchmarks.fit import new_model
    from zoo.training.optim import make_optimizer

    model = new_model(ctr.entry_of("deepfm"), schema, 0)
    optimizer, clock = make_optimizer(model, model.fit_config), ctr.clock()
    loader = BatchLoader(view, ctr.BATCH, 0)

    def run() -> float:
        started = clock()
        for batch in loader:
            optimizer.zero_grad()
            model.loss(batch).backward()
            optimizer.step()
        return (clock() - started) / len(loader) * 1e3

    run()  # The first step makes the moments of all rows.
    return run

"""Runs a plan: stage by stage, several processes at once, and leaves a record for every run."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.plan import Plan, RunSpec
from benchmarks.protocols import ProtocolConfig
from benchmarks.record import Record, RecordError, read_record, write_record

if TYPE_CHECKING:
    from benchmarks.run import Runner

WAVES = (("recall",), ("candidates",), ("prerank", "rank"), ("rerank", "funnel"))
"""What may run at the same time; each wave works on what the ones before it made."""


@dataclass(frozen=True)
class Setting:
    """Where and how a plan runs; the same in every process.

    Attributes:
        dataset: The dataset's YAML.
        protocol: Of all runs.
        fingerprint: Of the dataset.
        runs: Folder of records and artifacts.
        workers: Processes at once, each with one thread, so that results do not depend on their number.
    """

    dataset: Path
    protocol: ProtocolConfig
    fingerprint: str
    runs: Path
    workers: int

    def protocol_of(self, spec: RunSpec) -> ProtocolConfig:
        """The protocol of a run, which may be one window of several."""
        return replace(self.protocol, fold=spec.config["protocol"]["fold"])

    def folder(self, spec: RunSpec) -> Path:
        """Where the record of a run is."""
        return self.runs / spec.key(self.fingerprint)


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        spec: The run.
        record: Its record.
        seconds: How long it took; 0 if its record was there already.
    """

    spec: RunSpec
    record: Record
    seconds: float


def finished(spec: RunSpec, setting: Setting) -> Record | None:
    """The record of an earlier run that went well, if there is one that can be read."""
    try:
        record = read_record(setting.folder(spec))
    except (OSError, RecordError):
        return None
    return record if record.status == "ok" else None


def execute(plan: Plan, setting: Setting, again: bool = False) -> Iterator[Outcome]:
    """Runs what has no record yet; yields outcomes as they come, failures and shared candidates among them.

    Args:
        plan: What to run.
        setting: Where and how.
        again: Run everything, records or not.
    """
    todo = []
    for spec in plan.runs:
        record = None if again else finished(spec, setting)
        if record is None:
            todo.append(spec)
        else:
            yield Outcome(spec, record, 0.0)
    for wave in WAVES:
        specs = (
            _candidates(todo) if wave == ("candidates",) else [spec for spec in todo if spec.stage in wave]
        )
        yield from _together(specs, setting)


def _candidates(todo: Sequence[RunSpec]) -> list[RunSpec]:
    """One run per seed that makes the candidates which later runs share, so that none makes them twice."""
    needed = [spec for spec in reversed(todo) if "channels" in spec.config["protocol"].get("candidates", ())]
    first = {(spec.config["protocol"]["fold"], spec.seed): spec for spec in needed}
    return [
        RunSpec("training candidates", "", "candidates", seed, spec.config, "")
        for (_, seed), spec in first.items()
    ]


def _together(specs: Sequence[RunSpec], setting: Setting) -> Iterator[Outcome]:
    """Runs specs side by side; one whose process dies is tried once more alone before it counts as failed."""
    died = []
    for spec, outcome in _pool(specs, setting, setting.workers):
        if outcome is None:
            died.append(spec)
        else:
            yield outcome
    for spec in died:
        for _, outcome in _pool([spec], setting, 1):
            yield outcome or _failed(spec, setting, "the process died (out of memory, or killed)", 0.0)


def _pool(
    specs: Sequence[RunSpec], setting: Setting, workers: int
) -> Iterator[tuple[RunSpec, Outcome | None]]:
    """Spec and outcome, None where the process died."""
    if not specs:
        return
    context = multiprocessing.get_context("spawn")
    workers = min(workers, len(specs))
    with ProcessPoolExecutor(workers, context, _start, (setting,)) as pool:
        futures: dict[Future[Outcome], RunSpec] = {pool.submit(_run, spec): spec for spec in specs}
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool:
                yield futures[future], None


_STATE: dict[str, Any] = {}
"""Of a worker process: its setting, and the runner that keeps what runs share."""


def _start(setting: Setting) -> None:
    # Set before torch is imported: a second thread per process would only fight for the cores.
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    _STATE["setting"] = setting


def _runner(spec: RunSpec) -> Runner:
    """The runner of a spec's window; only the last is kept, as its data may be large."""
    setting: Setting = _STATE["setting"]
    protocol = setting.protocol_of(spec)
    if _STATE.get("label") != protocol.label:
        from benchmarks.components import Components
        from benchmarks.datasets import load_config, prepare
        from benchmarks.fit import Artifacts
        from benchmarks.run import Runner
        from benchmarks.world import World

        config = load_config(setting.dataset)
        world = World(config, protocol, prepare(config).log)
        artifacts = Artifacts(setting.runs / "artifacts")
        _STATE["label"] = protocol.label
        _STATE["runner"] = Runner(world, Components(world, artifacts, setting.fingerprint))
    runner: Runner = _STATE["runner"]
    return runner


def _run(spec: RunSpec) -> Outcome:
    """In a worker: runs a spec and writes its record, whatever happens."""
    setting: Setting = _STATE["setting"]
    started = time.perf_counter()
    try:
        if spec.stage == "candidates":
            _runner(spec).components.candidates(spec.config, spec.seed)
            return Outcome(spec, _record(spec, setting, {}), time.perf_counter() - started)
        measured, population = _runner(spec).run(spec, setting.folder(spec))
        record = _record(spec, setting, population, metrics=measured.metrics)
        record = write_record(record, measured.arrays, setting.folder(spec))
        return Outcome(spec, record, time.perf_counter() - started)
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return _failed(spec, setting, reason, time.perf_counter() - started)


def _failed(spec: RunSpec, setting: Setting, reason: str, seconds: float) -> Outcome:
    record = _record(spec, setting, {}, status="failed", error=reason)
    if spec.stage != "candidates":
        write_record(record, {}, setting.folder(spec))
    return Outcome(spec, record, seconds)


def _record(spec: RunSpec, setting: Setting, population: dict[str, float], **result: Any) -> Record:
    from benchmarks.machine import code_version, libraries, machine

    return Record(
        record_id=spec.key(setting.fingerprint),
        entry=spec.entry,
        model=spec.model,
        stage=spec.stage,
        dataset=spec.config["dataset"],
        dataset_fingerprint=setting.fingerprint,
        protocol=setting.protocol_of(spec).label,
        seed=spec.seed,
        config={**spec.config, "seed": spec.seed},
        command=spec.command,
        code_version=code_version(),
        machine=machine(setting.workers),
        libraries=libraries(),
        population=population,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **{"status": "ok", "metrics": {}, **result},
    )

"""Find records below a folder, read them, and publish them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.intervals import Replicates
from benchmarks.record import (
    STAGES,
    Record,
    RecordError,
    locate,
    near,
    read_arrays,
    read_record,
    replicates,
    write_atomically,
)

RECORDS = Path(__file__).parent / "records"


@dataclass(frozen=True, eq=False)
class Run:
    """A record and where it was found."""

    record: Record
    path: Path

    @cached_property
    def replicates(self) -> dict[str, Replicates]:
        """The shared bootstrap replicates `(R,)` of every metric that has them."""
        arrays = read_arrays(self.path) if self.record.arrays_sha256 else {}
        drawn = {metric: replicates(arrays, metric) for metric in self.record.metrics}
        return {metric: values for metric, values in drawn.items() if values is not None}


def find(folder: Path) -> list[Path]:
    """Every `record.json` and `<record_id>.json` below `folder`, sorted.

    Raises:
        RecordError: If there is no such folder.
    """
    if not folder.is_dir():
        siblings = [path.name for path in folder.parent.glob("*/")] if folder.parent.is_dir() else []
        raise RecordError(
            f"{folder}: found no folder, expected one with records{near(folder.name, siblings)}"
        )
    return sorted(p for p in folder.rglob("*.json") if re.fullmatch(r"record|[0-9a-f]{16}", p.stem))


def read(paths: Iterable[Path]) -> list[Run]:
    """The runs at `paths`, of one record id the latest only.

    Raises:
        RecordError: If any is invalid; one line for each.
    """
    runs: dict[str, Run] = {}
    errors = []
    for path in paths:
        try:
            run = Run(read_record(path), path)
        except RecordError as error:
            errors.append(str(error))
            continue
        known = runs.setdefault(run.record.record_id, run)
        if run.record.created > known.record.created:
            runs[run.record.record_id] = run
    if errors:
        raise RecordError("\n".join(errors))
    return list(runs.values())


def select(runs: list[Run], dataset: str | None, stage: str | None) -> list[Run]:
    """The runs of `dataset` and `stage`, where given.

    Raises:
        RecordError: If no record has that dataset, or there is no such stage.
    """
    datasets = {run.record.dataset for run in runs}
    for key, wanted, known in (("dataset", dataset, sorted(datasets)), ("stage", stage, STAGES)):
        if wanted is not None and known and wanted not in known:
            expected = f"{' or '.join(known)}{near(wanted, known)}"
            raise RecordError(f"--{key}: found {wanted!r}, expected {expected}")
        runs = [run for run in runs if wanted is None or getattr(run.record, key) == wanted]
    return runs


def publish(folders: list[Path], target: Path) -> list[str]:
    """Copy every ok record below `folders` to `target`/<dataset>/<stage>/<record_id>.json and .npz.

    Returns:
        One line for each record: what was done with it.

    Raises:
        RecordError: If a folder has no record or any record is invalid; nothing is copied then.
    """
    found = {folder: find(folder) for folder in folders}
    for folder, paths in found.items():
        if not paths:
            raise RecordError(f"{folder}: found no record.json, expected a run or a folder of runs")
    runs = read(path for paths in found.values() for path in paths)
    for run in runs:
        read_arrays(run.path)  # whatever is wrong with them must show before the first copy
    return [_publish(run, target) for run in runs]


def _publish(run: Run, target: Path) -> str:
    record = run.record
    name = f"{record.record_id}  {record.entry}, {record.dataset}, seed {record.seed}"
    if record.status != "ok":
        return f"skipped    {name}: failed, {record.error}"
    sources = dict(zip((".json", ".npz"), locate(run.path), strict=True))
    data = {suffix: source.read_bytes() for suffix, source in sources.items() if source.exists()}
    path = target / record.dataset / record.stage / f"{record.record_id}.json"
    files = {suffix: path.with_suffix(suffix) for suffix in sources}
    existed = path.exists()
    if {suffix: file.read_bytes() for suffix, file in files.items() if file.exists()} == data:
        return f"unchanged  {name}"
    for file in files.values():  # nobody may read the new record with the old arrays
        file.unlink(missing_ok=True)
    for suffix in sorted(data, reverse=True):
        write_atomically(files[suffix], data[suffix])
    return f"{'replaced ' if existed else 'published'}  {name}"

"""A dataset's tables, made once and kept as Arrow in a cache that is proved again at every load."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.datasets.acquire import Unavailable, acquire, folder_of, simulated
from benchmarks.datasets.config import DatasetConfig
from benchmarks.datasets.downloads import cache_root
from benchmarks.datasets.readers import VERSION
from benchmarks.datasets.tables import Report
from zoo.core.errors import UserError
from zoo.data.log import KEYS, Log

STALE_SECONDS = 3600
"""No preparation takes so long: a temporary folder this old belongs to a process that was killed."""


@dataclass(frozen=True)
class Prepared:
    """A dataset ready for use.

    Attributes:
        log: Its tables.
        fingerprint: Hash of the tables and their roles, for records.
        path: The folder that caches the tables, one HF `datasets` folder for each.
    """

    log: Log
    fingerprint: str
    path: Path


def prepare(
    config: DatasetConfig, cache_dir: str | Path | None = None, report: Report | None = None
) -> Prepared:
    """The dataset's tables from `cache_dir` (else `$ZOO_CACHE`, `~/.cache/funnelzoo`), or from a source.

    Safe for many processes at once, and to be killed at any moment.

    Args:
        config: The dataset.
        cache_dir: The folder of the cache.
        report: Told what was read and which rows were bad, also when that was long ago.

    Raises:
        UserError: No source has the data, or the cache can't be written.
    """
    root = cache_root(cache_dir)
    # What the tables are, not what the config says of them: new prose or roles need no new download.
    recipe = f"{VERSION}:{config.canonical or config.recipe + _stamps(config)}"
    path = root / "datasets" / f"{config.name}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    log, report = _load(path, config.canonical or _recorded(path)), report or Report()
    if log is None:
        log = acquire(config, report, root)
        _store(config, log, report, path)
    else:
        with suppress(OSError, ValueError):  # Only for people to read: the tables are there without it.
            report.read((path / "report.json").read_text(encoding="utf-8"))
    return Prepared(log, config.fingerprint(config.canonical or _recorded(path)), path)


def _stamps(config: DatasetConfig) -> str:
    """Sizes and times of the files that data of one's own comes from: when they change, it is other data."""
    facts = []
    for source in config.sources:
        if source.kind == "simulated":
            from benchmarks.datasets.simulated import VERSION as generator

            facts.append(("simulated", generator, 0))
        with suppress(Unavailable, OSError):
            paths = sorted(folder_of(source, config).iterdir()) if source.kind == "folder" else []
            files = [(path.name, path.stat()) for path in paths if path.is_file()]
            facts += [(name, stat.st_size, stat.st_mtime_ns) for name, stat in files]
    return repr(facts)


def _recorded(path: Path) -> str:
    """The hash that the tables of a dataset without a pinned one had when they were made."""
    try:
        return (path / "sha256.json").read_text().strip('"')
    except OSError:
        return ""


def _load(path: Path, canonical: str) -> Log | None:
    if not path.is_dir():
        return None
    try:
        log = Log(**{name: _load_table(path / name) for name in KEYS})
        if log.sha256() == canonical:
            return log
        reason = "its hash is not the expected one"
    except Exception as error:  # A damaged file can fail in any way, and can always be made again.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    logging.getLogger(__name__).warning("%s is damaged (%s), preparing it again", path, reason)
    _discard(path)
    return None


def _load_table(path: Path) -> Any:
    with _quiet_datasets() as datasets:
        table = datasets.load_from_disk(str(path)).data.table
    table.validate(full=True)  # Before anything follows a damaged offset out of the file.
    # One piece stays where it is, in a file mapped to memory.
    table = table.replace_schema_metadata(None)
    return table if all(column.num_chunks == 1 for column in table.columns) else table.combine_chunks()


def _store(config: DatasetConfig, log: Log, report: Report, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        with _beside(path) as temp:
            whole = Path(temp) / "whole"
            for name in KEYS:
                with _quiet_datasets() as datasets:
                    # A fingerprint of our own keeps `datasets` from pickling the table to hash it.
                    table = datasets.Dataset(getattr(log, name), fingerprint=path.name)
                    table.save_to_disk(str(whole / name))
            _store_oracle(config, whole)
            (whole / "sha256.json").write_text(f'"{log.sha256()}"')
            (whole / "report.json").write_text(report.dumps(), encoding="utf-8")
            _publish(whole, path)
    except OSError as error:
        reason = f"cannot write the cache ({error.strerror or error})"
        raise UserError(f"{path.parent}: {reason}; set ZOO_CACHE to a folder you can write") from None


def _store_oracle(config: DatasetConfig, folder: Path) -> None:
    """What only a simulation knows, beside its log: in a format and a place that no model reads."""
    for source in config.sources:
        if source.kind == "simulated":
            world = simulated(json.dumps(source.options))
            pq.write_table(world.oracle, folder / "oracle.parquet")
            world.world.save(folder / "oracle.safetensors")


def _publish(whole: Path, path: Path) -> None:
    try:
        os.rename(whole, path)
    except OSError:
        if not path.is_dir():  # Else another process was first, with the same tables.
            raise


def _discard(path: Path) -> None:
    """Renames before it removes, so that no other process meets half a folder."""
    with suppress(OSError), _beside(path) as temp:
        os.rename(path, Path(temp) / "damaged")


def _beside(path: Path) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)


def _sweep(path: Path) -> None:
    for temp in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(OSError):
            if time.time() - temp.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(temp, ignore_errors=True)


@contextmanager
def _quiet_datasets() -> Iterator[Any]:
    """The `datasets` library (slow to import, so only here) without progress bars or the hub."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield datasets
    finally:
        if shown:
            datasets.enable_progress_bars()

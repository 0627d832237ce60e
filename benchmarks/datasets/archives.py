"""Members of zip and tar files, to disk piece by piece: no path inside an archive is ever written to."""

from __future__ import annotations

import hashlib
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from benchmarks.datasets.config import SourceConfig
from zoo.core.errors import UserError

MAX_BYTES = 2**36
PIECE = 2**20

_BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
"""What `zipfile` raises for a file that is cut, altered, encrypted or compressed in an unknown way."""


class Stream(Protocol):
    """Bytes to read."""

    def read(self, size: int, /) -> bytes:
        """At most so many of the next bytes, none at the end."""


def pour(stream: Stream, target: Path, algorithm: str, told: Callable[[int], None]) -> str:
    """Copies a stream to a file, which has its name only once it is whole.

    Args:
        stream: Read in pieces, whatever its size.
        target: The file.
        algorithm: Of the checksum, as hashlib knows it.
        told: Called with the bytes so far, to end it with an exception.

    Returns:
        The checksum of the bytes, in hex digits.
    """
    digest, size = hashlib.new(algorithm, usedforsecurity=False), 0
    part = target.with_name(f"{target.name}.part")
    with part.open("wb") as file:
        while piece := stream.read(PIECE):
            size += len(piece)
            told(size)
            digest.update(piece)
            file.write(piece)
    os.replace(part, target)
    return digest.hexdigest()


def prove(what: str, found: str, digest: str) -> None:
    """Ends with a mistake if a checksum is not the one that a config states, if it states one."""
    algorithm, _, expected = digest.partition(":")
    if digest and found != expected:
        raise UserError(f"{what} has {algorithm} {found}, expected {expected} (truncated or altered)")


def algorithm_of(digest: str) -> str:
    """How to compute a checksum such as `md5:…`; SHA-256 where none is stated."""
    return digest.partition(":")[0] or "sha256"


def holds(archive: Path, source: SourceConfig) -> bool:
    """Whether a zip file has all files that a source names."""
    try:
        with zipfile.ZipFile(archive) as members:
            return {source.inside + name for name in source.files} <= set(members.namelist())
    except _BAD_ZIP as error:
        raise UserError(f"{archive.name} is not a whole zip file ({error})") from None


def unpack(archive: Path, source: SourceConfig, room: Path, proved: bool = True) -> dict[str, Path]:
    """The files that a source names, out of a zip file, or a tar file if `source` is one.

    Args:
        archive: The file.
        source: Names the members.
        room: The folder to write to.
        proved: Whether members must have the checksums that `source` states.

    Raises:
        UserError: The archive is damaged, lacks a member, is too large, or a checksum is wrong.
    """
    is_tar = source.at.endswith((".tar.gz", ".tgz", ".tar"))
    members = _Members(source, room, proved)
    (_untar if is_tar else _unzip)(archive, members)
    if missing := [name for name in source.files if name not in members.found]:
        raise UserError(f"the archive has no member {source.inside + missing[0]}")
    return {name: members.found[name] for name in source.files}


class _Members:
    """The wanted members of an archive, and those of them that are on disk by now."""

    def __init__(self, source: SourceConfig, room: Path, proved: bool) -> None:
        self.source, self.room, self.proved = source, room, proved
        self.names = {source.inside + name: name for name in source.files}
        self.found: dict[str, Path] = {}
        self.size = 0

    def add(self, member: str, stream: Stream) -> None:
        """Writes a wanted member."""
        name = self.names[member]
        digest = self.source.files[name] if self.proved else ""
        target = self.room / f"member-{len(self.found)}"
        prove(name, pour(stream, target, algorithm_of(digest), self._told), digest)
        self.size += target.stat().st_size
        self.found[name] = target

    def _told(self, size: int) -> None:
        if self.size + size > MAX_BYTES:
            raise UserError(f"the archive unpacks to more than {MAX_BYTES} bytes")


def _unzip(archive: Path, members: _Members) -> None:
    try:
        with zipfile.ZipFile(archive) as file:
            there = set(file.namelist())
            for member in filter(there.__contains__, members.names):
                with file.open(member) as stream:
                    members.add(member, stream)
    except _BAD_ZIP as error:
        raise UserError(f"the archive is not a whole zip file ({error})") from None


def _untar(archive: Path, members: _Members) -> None:
    try:
        # As a stream: to seek back in a gzip'd file is to unpack it again.
        with tarfile.open(archive, "r|*") as file:
            for member in file:
                stream = file.extractfile(member) if member.isfile() else None
                if stream and member.name in members.names:
                    members.add(member.name, stream)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"the archive is not a whole tar file ({error})") from None

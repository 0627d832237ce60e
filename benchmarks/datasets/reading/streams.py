"""The bytes of a log file, unpacked and in UTF-8; what is wrong with them in one line."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeAlias

from zoo.core.errors import UserError

Opened: TypeAlias = Mapping[str, Path | bytes]
"""By file name a path on disk, or the file's bytes (out of an archive)."""

CHUNK = 2**24

_GZIP = b"\x1f\x8b"
_NO_TEXT = {
    b"PAR1": "is Parquet, set format: parquet",
    b"PK\3\4": "is a zip archive, unpack it first",
    b"\xff\xfe": "begins like UTF-16, set encoding: utf-16",
    b"\xfe\xff": "begins like UTF-16, set encoding: utf-16",
}


@contextmanager
def open_file(name: str, opened: Path | bytes) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """A file to read, unpacked where it is gzip'd, whatever its name says.

    Raises:
        UserError: Also inside the context: the file cannot be read, or is cut or altered.
    """
    try:
        with io.BytesIO(opened) if isinstance(opened, bytes) else opened.open("rb") as file:
            magic = file.read(2)
            file.seek(0)
            if magic and magic != _GZIP and name.endswith(".gz"):
                raise UserError(f"{name}: is not gzip'd, whatever its name says")
            yield gzip.GzipFile(fileobj=file) if magic == _GZIP else file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{name}: the gzip'd file is cut or damaged ({error})") from None
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror or error})") from None


def read_chunks(name: str, opened: Path | bytes) -> Iterator[bytes]:
    """The bytes of a file.

    Raises:
        UserError: The file is empty, cannot be read, or is cut or altered.
    """
    empty = True
    with open_file(name, opened) as file:
        while chunk := file.read(CHUNK):
            empty = False
            yield chunk
    if empty:
        raise UserError(f"{name}: the file is empty")


def read_text(name: str, opened: Path | bytes, encoding: str, whole: bool = True) -> Iterator[bytes]:
    """The bytes of a text file as UTF-8 without a byte order mark, every line end a line feed.

    Args:
        name: Of the file, for messages.
        opened: The file.
        encoding: Of the file.
        whole: False for the first bytes of a file, which may end inside a character.

    Raises:
        UserError: The file is no text in this encoding, or see `read_chunks`.
    """
    signed = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(signed)(), translate=True)
    line = 1
    try:
        for number, chunk in enumerate(read_chunks(name, opened)):
            if number == 0:
                _check_text(name, chunk, encoding)
            data = decoder.decode(chunk).encode()
            line += data.count(b"\n")
            yield data
        yield decoder.decode(b"", final=whole).encode()
    except UnicodeDecodeError as error:
        line += error.object.count(b"\n", 0, error.start)
        advice = ", set encoding (such as latin-1)" if signed == "utf-8-sig" else ""
        byte = error.object[error.start]
        raise UserError(f"{name}:{line}: byte 0x{byte:02x} is not {encoding}{advice}") from None


def _check_text(name: str, start: bytes, encoding: str) -> None:
    for magic, what in _NO_TEXT.items():
        if start.startswith(magic) and codecs.lookup(encoding).name[:6] not in what:
            raise UserError(f"{name}: {what}")
    if b"\0" in start[:4096] and not codecs.lookup(encoding).name.startswith("utf-16"):
        raise UserError(f"{name}: is binary, no text (or in UTF-16: then set encoding: utf-16)")

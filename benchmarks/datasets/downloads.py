"""Where downloads lie while they are read, and what each was, so that every later one must be the same."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Self

from zoo.core.errors import UserError

STALE_SECONDS = 86_400
"""No download is read for so long: a folder this old belongs to a process that was killed."""


def cache_root(folder: str | Path | None = None) -> Path:
    """`folder`, else `$ZOO_CACHE`, else `~/.cache/funnelzoo`."""
    return Path(folder or os.environ.get("ZOO_CACHE") or Path.home() / ".cache" / "funnelzoo")


class Downloads:
    """A room for files that is empty again at the end, and a record of each that no config proves.

    The records stay: `downloads/<hash of the address>-<name>.json` below the root, with address, sha256, size
    and day. They are written by `keep`, once tables were made of the files.

    Args:
        root: The folder of the cache.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / "downloads"
        self.sums: list[str] = []
        self._new: dict[Path, dict[str, str | int]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def room(self) -> Path:
        """A folder of this visit's own, on the disk of the cache: archives may be larger than memory.

        Raises:
            UserError: It cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _sweep(self.folder)
            made = tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=self.folder)
        except OSError as error:
            reason = f"cannot write the cache ({error.strerror or error})"
            raise UserError(f"{self.folder}: {reason}; set ZOO_CACHE to a folder you can write") from None
        return Path(self._stack.enter_context(made))

    def check(self, address: str, sha256: str, size: int) -> None:
        """Compares what was found at an address with what is recorded of it, or notes it down for `keep`.

        Raises:
            UserError: It is not what it was.
        """
        self.sums.append(sha256)
        path = self.path(address)
        found: dict[str, str | int] = {"address": address, "sha256": sha256, "size": size}
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            told = f"{known['sha256']} ({int(known['size']):,}) on {known['date']}"
        except FileNotFoundError:
            self._new[path] = found | {"date": f"{datetime.now(UTC):%Y-%m-%d}"}
            return
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(f"{path}: is no record of {address}; remove it to make a new one") from None
        if known["sha256"] != sha256:
            raise UserError(
                f"{address} has sha256 {sha256} ({size:,}), the first time it had {told}: it is damaged, or "
                f"was changed; to accept what it is now remove {path}"
            )

    def keep(self) -> None:
        """Records what is new."""
        for path, found in self._new.items():
            part = self.room / path.name
            part.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
            os.replace(part, path)

    def path(self, address: str) -> Path:
        """The file that records an address."""
        name = re.sub(r"[^\w.-]+", "-", address.rstrip("/").rpartition("/")[2])[:80]
        return self.folder / f"{hashlib.sha256(address.encode()).hexdigest()[:16]}-{name}.json"


def _sweep(folder: Path) -> None:
    for room in folder.glob(".*.tmp"):
        with suppress(OSError):
            if time.time() - room.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(room, ignore_errors=True)

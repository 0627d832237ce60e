"""Published files to tables: one module for each form in which a dataset is published, named by its file."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.datasets.readers.rows import Opened, Raw
from zoo.core.errors import UserError, did_you_mean

__all__ = ["NAMES", "VERSION", "Opened", "Raw", "reader"]

VERSION = 3
"""Raise it when a reader changes what it makes, so that caches of the old form are left alone."""

_HELPERS = {"__init__", "films", "rows"}

NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in _HELPERS))
"""The readers that a config may name."""


def reader(name: str) -> Callable[[Opened], Raw]:
    """What reads a form: from files by name to the raw tables `events`, maybe `users` and `items`.

    Raises:
        UserError: There is no such reader.
    """
    if name not in NAMES:
        raise UserError(f"reader {name!r} is not known{did_you_mean(name, NAMES)}")
    read: Callable[[Opened], Raw] = import_module(f"{__name__}.{name}").read
    return read

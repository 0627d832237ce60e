"""Datasets by name: what a config says of one, and the same tables from whichever source is at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.datasets.config import DatasetConfig, load_config

if TYPE_CHECKING:
    from benchmarks.datasets.cache import Prepared, prepare

__all__ = ["DatasetConfig", "Prepared", "load_config", "prepare"]


def __getattr__(name: str) -> Any:
    # Reading a config should not cost the import of Arrow.
    if name not in ("Prepared", "prepare"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from benchmarks.datasets import cache

    return getattr(cache, name)

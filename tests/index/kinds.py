"""Every kind of index that there is, by a short name."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

import torch

from zoo.index import VectorIndex, create_index

KINDS: dict[str, dict[str, object]] = {
    "exact": {"name": "exact"},
    "hnswlib": {"name": "hnswlib"},
    "faiss-flat": {"name": "faiss", "kind": "flat"},
    "faiss-ivf": {"name": "faiss", "kind": "ivf", "probes": 6},
    "faiss-hnsw": {"name": "faiss", "kind": "hnsw"},
}
if os.environ.get("ZOO_TEST_MILVUS"):  # by test_milvus.py, which says why
    KINDS |= {f"milvus-{kind}": {"name": "milvus", "kind": kind} for kind in ("flat", "hnsw")}

FULL: dict[str, dict[str, object]] = {
    "hnswlib": {"ef_search": 300},
    "faiss-ivf": {"probes": 256},
    "faiss-hnsw": {"ef_search": 300},
    "milvus-hnsw": {"ef_search": 300},
}
"""What makes them exact up to 300 vectors."""


def create(kind: str, **options: object) -> VectorIndex:
    """An empty index; all of Milvus share one server, as it takes a while to start."""
    shared = {"path": _milvus()[1]} if kind.startswith("milvus") else {}
    return create_index(**{**KINDS[kind], **shared, **options})


def stop_milvus() -> None:
    """Stops the server."""
    if _milvus.cache_info().currsize:
        folder, _, keeper = _milvus()
        keeper.close()
        folder.cleanup()
        _milvus.cache_clear()


@cache
def _milvus() -> tuple[tempfile.TemporaryDirectory[str], str, VectorIndex]:
    """A folder, the file in it, and an index that keeps the server up."""
    folder = tempfile.TemporaryDirectory()
    path = str(Path(folder.name) / "shared.db")
    keeper = create_index("milvus", path=path)
    keeper.build(torch.ones(1, 2), torch.ones(1, dtype=torch.int64))
    return folder, path, keeper

"""Vector indexes: find the items whose vectors score best against a query, exactly or approximately.

Each adapter is one file, imported (with the package it adapts) only when it is asked for.
"""

from __future__ import annotations

import json
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from zoo.core.errors import UserError, did_you_mean
from zoo.index.base import VectorIndex
from zoo.index.filter import Allow, Deny, Filter
from zoo.index.query import Metric

ADAPTERS = {
    "exact": "ExactIndex",
    "hnswlib": "HnswlibIndex",
    "faiss": "FaissIndex",
    "milvus": "MilvusIndex",
}
"""Class by index name; its module is `zoo.index.<name>`."""
EXTRAS = ("faiss", "milvus")
"""Those whose package comes with an extra of the same name."""

__all__ = ["ADAPTERS", "Allow", "Deny", "Filter", "Metric", "VectorIndex", "create_index", "load_index"]


def create_index(name: str, **options: Any) -> VectorIndex:
    """An empty index, such as `create_index("hnswlib", metric="cosine", ef_search=200)`.

    Raises:
        UserError: No index has this name, it has no such option, or its package is not installed.
    """
    adapter = _adapter(name)
    valid = [field.name for field in fields(adapter) if field.init]
    for option in options:
        if option not in valid:
            near = did_you_mean(option, valid)
            raise UserError(f"index {name!r}: unknown option {option!r}{near}, expected one of {valid}")
    return adapter(**options)


def load_index(folder: str | Path) -> VectorIndex:
    """The index that `VectorIndex.save` wrote to `folder`, whichever adapter made it.

    Raises:
        UserError: The folder holds no index, or its adapter cannot be used.
    """
    path = Path(folder) / "index.json"
    try:
        name = json.loads(path.read_text())["name"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path}: expected the description of a saved index") from None
    return _adapter(name).load(folder)


def _adapter(name: str) -> type[VectorIndex]:
    if name not in ADAPTERS:
        raise UserError(
            f"unknown index {name!r}{did_you_mean(name, ADAPTERS)}, expected one of {list(ADAPTERS)}"
        )
    try:
        module = import_module(f"zoo.index.{name}")
    except ModuleNotFoundError as error:
        what = f"'funnelzoo[{name}]'" if name in EXTRAS else error.name
        raise UserError(f"index {name!r} needs a missing package: pip install {what}") from None
    adapter: type[VectorIndex] = getattr(module, ADAPTERS[name])
    return adapter

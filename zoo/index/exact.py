"""The exact index: scores every vector. The reference for all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from zoo.index.base import VectorIndex
from zoo.index.query import Query


@dataclass(eq=False)
class ExactIndex(VectorIndex):
    """One matrix product with all vectors, on their device, and one pass for the best of every row."""

    name: ClassVar[str] = "exact"

    def _build(self) -> None:
        """Nothing to prepare."""

    def _put(self, vectors: Tensor, ids: Tensor, old: Tensor) -> None:
        """The vectors are in the table."""

    def _drop(self, ids: Tensor) -> None:
        """They are out of it."""

    def _find(self, query: Query) -> tuple[Tensor, Tensor]:
        return self._scan(query)

    def _search(self, queries: Tensor, k: int) -> Tensor:
        return self._scanned(queries, k)

"""The exact index: scores every vector. The reference for all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from zoo.index.base import VectorIndex


@dataclass(eq=False)
class ExactIndex(VectorIndex):
    """One matrix product with all vectors, on the device they are on."""

    name: ClassVar[str] = "exact"

    def _build(self) -> None:
        """Nothing to prepare."""

    def _search(self, queries: Tensor, k: int) -> Tensor:
        return self._scan(queries, k)

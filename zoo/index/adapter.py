"""What an adapter is: options, checks of what it is told, and the few things that it alone can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from zoo.core.errors import UserError, did_you_mean
from zoo.index.query import Metric
from zoo.index.table import VectorTable

Array: TypeAlias = "Tensor | np.ndarray[Any, Any]"


@dataclass(eq=False)
class Adapter(ABC):
    """The part of an index that differs between packages, and what needs nothing else.

    Attributes:
        metric: What a score is.
    """

    name: ClassVar[str]

    metric: Metric = "inner_product"
    _table: VectorTable = field(init=False, repr=False)
    _centre: Tensor = field(init=False, repr=False, default_factory=lambda: torch.zeros(0))
    _stale: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        self._one_of("metric", get_args(Metric))
        self._table = VectorTable(torch.empty(0, 0), torch.empty(0, dtype=torch.int64))

    @abstractmethod
    def _build(self) -> None:
        """Prepare for searching `self._table` (vectors of unit length for cosine), none of it deleted."""

    @abstractmethod
    def _put(self, vectors: Tensor, ids: Tensor, old: Tensor) -> None:
        """Take in `vectors` `(M, D)` under `ids` `(M,)`, of which `old` `(M,)` bool are there already."""

    @abstractmethod
    def _drop(self, ids: Tensor) -> None:
        """Forget `ids`; what is still found of them is passed over, and is to be counted in `_stale`."""

    @abstractmethod
    def _search(self, queries: Tensor, k: int) -> Tensor:
        """Ids `(B, k)` of the best vectors in any order, 0 where none was found; `k` is below N."""

    def _save(self, folder: Path) -> None:  # noqa: B027 (nothing to add is a fine answer)
        """Write what `_load` needs besides the vectors."""

    def _load(self, folder: Path) -> None:
        """Read what `_save` wrote; the vectors are there already."""
        self._build()

    def _centred(self, vectors: Tensor) -> NDArray[np.float32]:
        """`(M, D)` rows for a graph.

        Inner product is no distance, and a graph over it loses vectors: where all share a mean, as learned
        item embeddings do, most cannot be reached. The graph is therefore made of vectors less their mean,
        which shifts all scores of a query alike and so keeps their order.
        """
        return (vectors - self._centre).cpu().numpy()

    def _bytes(self) -> int:
        """What the vectors and the index hold."""
        return self._table.vectors.nbytes + self._table.ids.nbytes

    def options(self) -> dict[str, Any]:
        """What `create_index` needs, besides the name, to make an empty index like this one."""
        return {option.name: getattr(self, option.name) for option in fields(self) if option.init}

    def _error(self, message: str) -> UserError:
        return UserError(f"index {self.name!r}: {message}")

    def _one_of(self, option: str, valid: Sequence[str]) -> None:
        """Checks that an option has one of its valid values."""
        value = getattr(self, option)
        if value not in valid:
            near = did_you_mean(str(value), valid)
            raise self._error(f"unknown {option} {value!r}{near}, expected one of {list(valid)}")

    def _integers(self, **least: int) -> None:
        """Checks that options are integers, each from its least value upwards."""
        for option, smallest in least.items():
            value = getattr(self, option)
            if not isinstance(value, int) or value < smallest:
                raise self._error(f"{option} must be an integer from {smallest} upwards, found {value!r}")

    def _pairs(self, vectors: Array, ids: Array) -> tuple[Tensor, Tensor]:
        """Checked rows and ids."""
        rows = self._matrix(vectors, "vectors")
        keys = torch.as_tensor(ids, dtype=torch.int64, device=rows.device)
        if keys.shape != rows.shape[:1]:
            shapes = f"vectors {tuple(rows.shape)} and ids {tuple(keys.shape)}"
            raise self._error(f"found {shapes}, expected (N, D) and (N,)")
        if len(keys) and (keys.min() < 1 or len(keys.unique()) < len(keys)):
            raise self._error("ids must be distinct and at least 1 (0 is padding)")
        return rows, keys

    def _fitting(self, rows: Tensor, what: str) -> Tensor:
        """`rows` where the vectors are, if they are of one dimension."""
        if rows.shape[1] != self._table.vectors.shape[1]:
            raise self._error(f"{what} of dimension {rows.shape[1]}, expected {self._table.vectors.shape[1]}")
        return rows.to(self._table.vectors.device)

    def _matrix(self, values: Array, what: str) -> Tensor:
        """`values` as finite float32 rows, of unit length for cosine."""
        rows = torch.as_tensor(values).detach().float()
        if rows.ndim != 2:
            raise self._error(f"{what} of shape {tuple(rows.shape)}, expected 2 dimensions")
        if not rows.isfinite().all():
            row = int((~rows.isfinite()).any(dim=1).nonzero()[0])
            raise self._error(f"{what} hold NaN or infinity, first in row {row}")
        return F.normalize(rows, dim=1) if self.metric == "cosine" else rows

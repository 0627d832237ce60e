"""What every vector index does; an adapter adds only how it finds positions."""

from __future__ import annotations

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from zoo.core.errors import UserError, did_you_mean
from zoo.core.topk import stable_topk

Metric = Literal["inner_product", "cosine", "l2"]
Array: TypeAlias = "Tensor | np.ndarray[Any, Any]"

_FORMAT = 1
_CHUNK = 1 << 24
"""Most floats worked on for one slice of the queries, 64 MiB of them."""


@dataclass(eq=False)
class VectorIndex(ABC):
    """Finds the items whose vectors score best against a query.

    A score is the inner product, the cosine, or minus the squared L2 distance, so higher is always better.
    Scores are computed here from the vectors themselves, whatever the adapter; equal scores go by lower id.

    Attributes:
        metric: What a score is.
        stats: `build_seconds`, and `search_seconds` and `queries` summed over all searches.
    """

    name: ClassVar[str]

    metric: Metric = "inner_product"
    stats: dict[str, float] = field(init=False, repr=False, default_factory=dict)
    _vectors: Tensor = field(init=False, repr=False, default_factory=lambda: torch.empty(0, 0))
    _ids: Tensor = field(init=False, repr=False, default_factory=lambda: torch.empty(0, dtype=torch.int64))

    def __post_init__(self) -> None:
        valid = get_args(Metric)
        if self.metric not in valid:
            near = did_you_mean(str(self.metric), valid)
            raise self._error(f"unknown metric {self.metric!r}{near}, expected one of {list(valid)}")

    def __len__(self) -> int:
        return len(self._ids)

    def build(self, vectors: Array, ids: Array) -> None:
        """Index `vectors` `(N, D)` under `ids` `(N,)`, in place of what was indexed before.

        Raises:
            UserError: There is no vector, a value is not finite, or ids are not distinct and positive.
        """
        vectors = self._matrix(vectors, "vectors")
        ids = torch.as_tensor(ids, dtype=torch.int64, device=vectors.device)
        if not len(vectors) or ids.shape != vectors.shape[:1]:
            shapes = f"vectors {tuple(vectors.shape)} and ids {tuple(ids.shape)}"
            raise self._error(f"found {shapes}, expected (N, D) and (N,) with N at least 1")
        # In order of id, so that a tie by position is a tie by id.
        ids, order = ids.sort()
        if ids[0] < 1 or (ids[1:] == ids[:-1]).any():
            raise self._error("ids must be distinct and at least 1 (0 is padding)")
        started = time.perf_counter()
        self._vectors, self._ids = vectors[order], ids
        self._build()
        self.stats = {"build_seconds": time.perf_counter() - started, "search_seconds": 0.0, "queries": 0}

    def search(self, queries: Array, k: int) -> tuple[Tensor, Tensor]:
        """The `k` best items for each of `queries` `(B, D)`.

        Returns:
            Int64 ids and float32 scores, both `(B, k)`, best first; 0 and -inf beyond the last item found.

        Raises:
            UserError: The index is empty, `k` is below 1, or the queries do not fit the vectors.
        """
        started = time.perf_counter()
        rows = self._queries(queries, k)
        positions, scores = self._ranked(self._search, rows, min(k, len(self)))
        ids = self._ids[positions.clamp(min=0)].masked_fill(positions < 0, 0)
        ids = F.pad(ids, (0, k - ids.shape[1]))
        scores = F.pad(scores, (0, k - scores.shape[1]), value=-torch.inf)
        self.stats["search_seconds"] += time.perf_counter() - started
        self.stats["queries"] += len(rows)
        device = queries.device if isinstance(queries, Tensor) else "cpu"
        return ids.to(device), scores.to(device)

    def recall_against_exact(self, queries: Array, k: int) -> dict[str, float]:
        """How much of the exact top `k` a search finds, and what each of the two takes.

        An item that scores as well as the exact k-th counts as found, so ties are no misses.

        Returns:
            `recall` in [0, 1], `k`, `queries`, `search_seconds` and `exact_seconds`.
        """
        rows, k = self._queries(queries, k), min(k, len(self))
        started = time.perf_counter()
        found = self._ranked(self._search, rows, k)[1]
        between = time.perf_counter()
        exact = self._ranked(self._scan, rows, k)[1]
        return {
            "recall": (found >= exact[:, -1:]).double().mean().item(),
            "k": k,
            "queries": len(rows),
            "search_seconds": between - started,
            "exact_seconds": time.perf_counter() - between,
        }

    def save(self, folder: str | Path) -> None:
        """Write the index to `folder`, without pickle.

        Raises:
            UserError: The index is empty.
        """
        self._require_built()
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        # The description goes first and comes last, so that a half-written folder never passes for an index.
        (folder / "index.json").unlink(missing_ok=True)
        tensors = {"vectors": self._vectors.cpu(), "ids": self._ids.cpu()}
        write(folder / "vectors.safetensors", lambda path: save_file(tensors, path))
        self._save(folder)
        description = json.dumps({"format": _FORMAT, "name": self.name, "options": self.options()}, indent=2)
        write(folder / "index.json", lambda path: path.write_text(description + "\n"))

    @classmethod
    def load(cls, folder: str | Path) -> VectorIndex:
        """The index that `save` wrote to `folder`.

        Raises:
            UserError: The folder holds no index of this class, or a damaged one.
        """
        folder = Path(folder)
        try:
            description = json.loads((folder / "index.json").read_text())
            if (description["format"], description["name"]) != (_FORMAT, cls.name):
                raise ValueError(f"found index.json of {description}")
            index = cls(**description["options"])
            tensors = load_file(folder / "vectors.safetensors")
            index._vectors, index._ids = tensors["vectors"], tensors["ids"]
            index._load(folder)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"{folder}: expected a saved index {cls.name!r} of format {_FORMAT}: {reason}"
            ) from None
        index.stats = {"build_seconds": 0.0, "search_seconds": 0.0, "queries": 0}
        return index

    @abstractmethod
    def _build(self) -> None:
        """Prepare for searching `self._vectors` (unit length for cosine)."""

    @abstractmethod
    def _search(self, queries: Tensor, k: int) -> Tensor:
        """Positions `(B, k)` of the best vectors in any order, -1 where none was found; `k` is at most N."""

    def _save(self, folder: Path) -> None:  # noqa: B027 (nothing to add is a fine answer)
        """Write what `_load` needs besides the vectors."""

    def _load(self, folder: Path) -> None:
        """Read what `_save` wrote; the vectors are there already."""
        self._build()

    def _scan(self, queries: Tensor, k: int) -> Tensor:
        """Positions `(B, k)` of the best vectors, by scoring all of them."""
        if self.metric == "l2":
            # Not by matrix product: its cancellation would reorder vectors close to the query.
            scores = -torch.cdist(queries, self._vectors, compute_mode="donot_use_mm_for_euclid_dist")
        else:
            scores = queries @ self._vectors.T
        return stable_topk(scores, k)[1]

    def _ranked(
        self, find: Callable[[Tensor, int], Tensor], queries: Tensor, k: int
    ) -> tuple[Tensor, Tensor]:
        """Positions and scores `(B, k)` of what `find` finds, best first."""
        step = max(1, _CHUNK // (len(self) + k * queries.shape[1]))
        ranked = [self._by_score(part, find(part, k)) for part in torch.split(queries, step)]
        positions, scores = (torch.cat(parts) for parts in zip(*ranked, strict=True))
        return positions, scores

    def _by_score(self, queries: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        positions = positions.sort(dim=1).values
        rows = self._vectors[positions.clamp(min=0)]
        if self.metric == "l2":
            scores = -(rows - queries[:, None]).square().sum(dim=2)
        else:
            scores = (rows @ queries[:, :, None])[:, :, 0]
        scores = scores.masked_fill(positions < 0, -torch.inf)
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        return positions.gather(1, order), scores

    def _queries(self, queries: Array, k: int) -> Tensor:
        self._require_built()
        if k < 1:
            raise self._error(f"k must be at least 1, found {k}")
        rows = self._matrix(queries, "queries").to(self._vectors.device)
        if rows.shape[1] != self._vectors.shape[1]:
            raise self._error(f"queries of dimension {rows.shape[1]}, expected {self._vectors.shape[1]}")
        return rows

    def _matrix(self, values: Array, what: str) -> Tensor:
        """`values` as finite float32 rows, of unit length for cosine."""
        rows = torch.as_tensor(values).detach().float()
        if rows.ndim != 2:
            raise self._error(f"{what} of shape {tuple(rows.shape)}, expected 2 dimensions")
        if not rows.isfinite().all():
            row = int((~rows.isfinite()).any(dim=1).nonzero()[0])
            raise self._error(f"{what} hold NaN or infinity, first in row {row}")
        return F.normalize(rows, dim=1) if self.metric == "cosine" else rows

    def _require_built(self) -> None:
        if not len(self):
            raise self._error("is empty, build it first")

    def options(self) -> dict[str, Any]:
        """What `create_index` needs, besides the name, to make an empty index like this one."""
        return {option.name: getattr(self, option.name) for option in fields(self) if option.init}

    def _error(self, message: str) -> UserError:
        return UserError(f"index {self.name!r}: {message}")


def write(path: Path, writer: Callable[[Path], object]) -> None:
    """Let `writer` write to a temporary name beside `path`, then move it there in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    writer(temporary)
    os.replace(temporary, path)

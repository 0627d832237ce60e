"""What every vector index does; an adapter adds only how it finds ids."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from zoo.core.errors import UserError
from zoo.index.adapter import Adapter, Array
from zoo.index.fetch import over_fetch
from zoo.index.files import read_index, write_index
from zoo.index.filter import Filter
from zoo.index.query import Query, widened
from zoo.index.scan import scan
from zoo.index.table import VectorTable


@dataclass(eq=False)
class VectorIndex(Adapter):
    """Finds the items whose vectors score best against a query.

    A score is the inner product, the cosine, or minus the squared L2 distance, so higher is always better.
    Scores are computed here from the vectors themselves, whatever the adapter; equal scores go by lower id.

    Attributes:
        stats: `build_seconds`, `bytes` held by vectors and index, and `search_seconds` and `queries` summed
            over all searches.
    """

    stats: dict[str, float] = field(init=False, repr=False, default_factory=dict)

    def __len__(self) -> int:
        return len(self._table)

    def build(self, vectors: Array, ids: Array) -> None:
        """Index `vectors` `(N, D)` under `ids` `(N,)`, in place of what was indexed before.

        Raises:
            UserError: There is no vector, a value is not finite, or ids are not distinct and positive.
        """
        rows, keys = self._pairs(vectors, ids)
        if not len(rows):
            raise self._error("found no vector to build from, expected N at least 1")
        started = time.perf_counter()
        self._table = VectorTable(rows, keys)
        self._rebuild()
        self.stats = {"build_seconds": time.perf_counter() - started, "search_seconds": 0.0, "queries": 0}
        self.stats["bytes"] = self._bytes()

    def add(self, vectors: Array, ids: Array) -> None:
        """Index more `vectors` `(M, D)` under new `ids` `(M,)`.

        Raises:
            UserError: As for `build`, the dimension differs, or an id is there already.
        """
        keys = self._pairs(vectors, ids)[1]
        there = keys[self._table.positions(keys.to(self._table.ids.device)) >= 0]
        if len(there):
            raise self._error(f"id {int(there[0])} is there already, update it instead")
        self.update(vectors, ids)

    def update(self, vectors: Array, ids: Array) -> None:
        """Index `vectors` `(M, D)` under `ids` `(M,)`, in place of those that are there already.

        Raises:
            UserError: As for `build`, or the dimension differs.
        """
        if not len(self):
            self.build(vectors, ids)
            return
        rows, keys = self._pairs(vectors, ids)
        rows, keys = self._fitting(rows, "vectors"), keys.to(self._table.ids.device)
        old = self._table.positions(keys) >= 0
        self._table.put(rows, keys)
        self._put(rows, keys, old)
        self._changed()

    def delete(self, ids: Array) -> None:
        """Forget `ids` `(M,)`.

        Raises:
            UserError: An id is not there.
        """
        keys = torch.as_tensor(ids, dtype=torch.int64, device=self._table.ids.device).flatten().unique()
        missing = keys[self._table.positions(keys) < 0]
        if len(missing):
            raise self._error(f"no id {int(missing[0])} to delete among {len(self)}")
        self._table.drop(keys)
        self._drop(keys)
        self._changed()

    def search(
        self, queries: Array, k: int, exclude: Array | None = None, filter: Filter | None = None
    ) -> tuple[Tensor, Tensor]:
        """The `k` best items for each of `queries` `(B, D)`.

        Args:
            queries: Of the vectors' dimension.
            k: Items wanted.
            exclude: `(B, S)` ids that each query must not find, 0 is padding; exact search masks them, an
                approximate one looks as much further.
            filter: Which ids any query may find: `Allow(ids)` or `Deny(ids)`.

        Returns:
            Int64 ids and float32 scores, both `(B, k)`, best first; 0 and -inf beyond the last item found.

        Raises:
            UserError: The index is empty, `k` is below 1, or the queries do not fit the vectors.
        """
        started = time.perf_counter()
        rows = self._queries(queries, k)
        out, places = self._excluded(exclude, len(rows)), self._allowed(filter)
        positions, scores = self._ranked(self._find, Query(rows, min(k, len(self)), out, places))
        ids = self._table.ids[positions.clamp(min=0)].masked_fill(positions < 0, 0)
        ids, scores = widened(ids, scores, k, empty=0)
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
        query = Query(rows, k, places=self._table.places)
        started = time.perf_counter()
        found = self._ranked(self._find, query)[1]
        between = time.perf_counter()
        exact = self._ranked(self._scan, query)[1]
        return {
            "recall": (found >= exact[:, -1:]).double().mean().item(),
            "k": k,
            "queries": len(query),
            "search_seconds": between - started,
            "exact_seconds": time.perf_counter() - between,
        }

    def save(self, folder: str | Path) -> None:
        """Write the index to `folder`, without pickle.

        Raises:
            UserError: The index is empty.
        """
        self._require_built()
        self._table.compact()
        tensors = {"vectors": self._table.vectors, "ids": self._table.ids, "centre": self._centre}
        description = {"name": self.name, "options": self.options()}
        write_index(Path(folder), description, tensors, self._save)

    @classmethod
    def load(cls, folder: str | Path) -> VectorIndex:
        """The index that `save` wrote to `folder`.

        Raises:
            UserError: The folder holds no index of this class, or a damaged one.
        """
        try:
            options, tensors = read_index(Path(folder), cls.name)
            index = cls(**options)
            index._table = VectorTable(tensors["vectors"], tensors["ids"])
            index._centre = tensors["centre"]
            index._load(Path(folder))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(f"{folder}: expected a saved index {cls.name!r}: {reason}") from None
        index.stats = {"build_seconds": 0.0, "search_seconds": 0.0, "queries": 0, "bytes": index._bytes()}
        return index

    def holds(self, vectors: Tensor, ids: Tensor) -> bool:
        """Whether exactly these `vectors` `(N, D)` are indexed under `ids` `(N,)`, up to rounding."""
        if len(ids) != len(self):
            return False
        self._table.compact()
        mine, given = self._table, VectorTable(*self._pairs(vectors, ids))
        if not given.ids.to(mine.ids.device).equal(mine.ids) or given.vectors.shape != mine.vectors.shape:
            return False
        return torch.allclose(given.vectors.to(mine.vectors.device), mine.vectors, atol=1e-6)

    def _rebuild(self) -> None:
        self._table.compact()
        self._stale = 0
        rows = self._table.vectors
        self._centre = rows.mean(dim=0) if self.metric == "inner_product" else torch.zeros_like(rows[0])
        self._build()

    def _changed(self) -> None:
        """Builds again when most of what an adapter holds is out of date."""
        if len(self) and self._stale > len(self):
            self._rebuild()
        self.stats["bytes"] = self._bytes()

    def _find(self, query: Query) -> tuple[Tensor, Tensor]:
        """Positions and scores `(B, k)` of the best vectors, best first, -1 and -inf beyond the last."""
        return over_fetch(query, self._table, self.metric, self._search)

    def _scan(self, query: Query) -> tuple[Tensor, Tensor]:
        """As `_find`, by scoring all vectors."""
        return scan(query, self._table, self.metric)

    def _scanned(self, queries: Tensor, k: int) -> Tensor:
        """As `_search`, by scoring all vectors."""
        positions = self._scan(Query(queries, k, places=self._table.places))[0]
        return self._table.ids[positions].masked_fill(positions < 0, 0)

    def _ranked(self, find: Callable[[Query], tuple[Tensor, Tensor]], query: Query) -> tuple[Tensor, Tensor]:
        """`find`, for as many rows at a time as memory is meant for."""
        ranked = [find(part) for part in query.parts(len(self._table.ids))]
        positions, scores = (torch.cat(parts) for parts in zip(*ranked, strict=True))
        return positions, scores

    def _queries(self, queries: Array, k: int) -> Tensor:
        self._require_built()
        if k < 1:
            raise self._error(f"k must be at least 1, found {k}")
        return self._fitting(self._matrix(queries, "queries"), "queries")

    def _excluded(self, exclude: Array | None, rows: int) -> Tensor | None:
        if exclude is None:
            return None
        ids = torch.as_tensor(exclude).to(self._table.ids)
        if ids.ndim != 2 or len(ids) != rows:
            raise self._error(f"exclude of shape {tuple(ids.shape)}, expected ({rows}, S)")
        return ids

    def _allowed(self, filter: Filter | None) -> Tensor | None:
        """Positions of what may be found, None for all."""
        if filter is None:
            return self._table.places
        return (filter.keep(self._table.ids) & self._table.alive).nonzero()[:, 0]

    def _require_built(self) -> None:
        if not len(self):
            raise self._error("is empty, build it first")

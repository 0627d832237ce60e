"""Approximate search in a navigable small-world graph, by the package hnswlib.

Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
Small World graphs", TPAMI 2018, https://arxiv.org/abs/1603.09320.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import hnswlib  # type: ignore[import-untyped]
import numpy as np
import torch
from torch import Tensor

from zoo.index.base import VectorIndex
from zoo.index.files import write


@dataclass(eq=False)
class HnswlibIndex(VectorIndex):
    """HNSW graph; with one thread the same vectors always make the same graph.

    A deleted node stays in the graph as a way to others, until there are more of them than of all else.

    Attributes:
        M: Neighbours per node.
        ef_construction: Width of the beam while building.
        ef_search: Width of the beam while searching, raised to k where below; from N upwards search is exact.
        threads: For building and searching; more than one makes the graph differ from build to build.
        seed: Of the levels that nodes are put on.
    """

    name: ClassVar[str] = "hnswlib"

    M: int = 16
    ef_construction: int = 200
    ef_search: int = 128
    threads: int = 1
    seed: int = 0
    _graph: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._integers(M=2, ef_construction=1, ef_search=1, threads=1, seed=0)

    def _build(self) -> None:
        self._graph = self._new_graph()
        self._graph.init_index(len(self), self.M, self.ef_construction, self.seed)
        self._insert(self._table.vectors, self._table.ids)

    def _put(self, vectors: Tensor, ids: Tensor, old: Tensor) -> None:
        room = self._graph.element_count + len(ids)
        if room > self._graph.max_elements:
            self._graph.resize_index(max(room, 2 * self._graph.max_elements))
        self._insert(vectors, ids)
        self._stale = self._graph.element_count - len(self)

    def _insert(self, vectors: Tensor, ids: Tensor) -> None:
        self._graph.add_items(self._centred(vectors), ids.cpu().numpy(), num_threads=self.threads)

    def _drop(self, ids: Tensor) -> None:
        for one in ids.tolist():
            self._graph.mark_deleted(one)
        self._stale = self._graph.element_count - len(self)

    def _search(self, queries: Tensor, k: int) -> Tensor:
        beam = max(k, self.ef_search)
        if beam >= len(self):
            # A beam as wide as the graph visits every node it can reach; a scan visits all, in less time.
            return self._scanned(queries, k)
        self._graph.set_ef(beam)
        try:
            found = self._graph.knn_query(queries.cpu().numpy(), k, num_threads=self.threads)[0]
        except RuntimeError:
            return self._one_by_one(queries, k)
        return torch.from_numpy(found.astype(np.int64)).to(queries.device)

    def _one_by_one(self, queries: Tensor, k: int) -> Tensor:
        """Scan for the queries that reach fewer than `k` nodes, which no wider beam would help.

        hnswlib fails a whole batch for one of them; the others must find what they would find without it.
        """
        if len(queries) == 1:
            return self._scanned(queries, k)
        return torch.cat([self._search(query, k) for query in torch.split(queries, 1)])

    def _bytes(self) -> int:
        return super()._bytes() + int(self._graph.index_file_size())

    def _save(self, folder: Path) -> None:
        write(folder / "graph.hnsw", lambda path: self._graph.save_index(str(path)))

    def _load(self, folder: Path) -> None:
        self._graph = self._new_graph()
        self._graph.load_index(str(folder / "graph.hnsw"))
        self._stale = self._graph.element_count - len(self)
        if self._stale < 0:
            raise ValueError(f"graph of {self._graph.element_count} nodes for {len(self)} vectors")

    def _new_graph(self) -> Any:
        space = "l2" if self.metric == "l2" else "ip"
        return hnswlib.Index(space, self._table.vectors.shape[1])

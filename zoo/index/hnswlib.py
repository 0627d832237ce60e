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

from zoo.index.base import VectorIndex, write


@dataclass(eq=False)
class HnswlibIndex(VectorIndex):
    """HNSW graph; with one thread the same vectors always make the same graph.

    Inner product is no distance, and a graph over it loses vectors: where all share a mean, as learned item
    embeddings do, most cannot be reached. The graph is therefore made of vectors less their mean, which
    shifts all scores of a query alike and so keeps their order.

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
        for option, least in {"M": 2, "ef_construction": 1, "ef_search": 1, "threads": 1, "seed": 0}.items():
            value = getattr(self, option)
            if not isinstance(value, int) or value < least:
                raise self._error(f"{option} must be an integer from {least} upwards, found {value!r}")

    def _build(self) -> None:
        graph = self._new_graph()
        graph.init_index(len(self), self.M, self.ef_construction, self.seed)
        rows = self._vectors
        rows = rows - rows.mean(dim=0) if self.metric == "inner_product" else rows
        graph.add_items(rows.cpu().numpy(), np.arange(len(self)), num_threads=self.threads)
        self._graph = graph

    def _search(self, queries: Tensor, k: int) -> Tensor:
        beam = max(k, self.ef_search)
        if beam >= len(self):
            # A beam as wide as the graph visits every node it can reach; a scan visits all, in less time.
            return self._scan(queries, k)
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
            return self._scan(queries, k)
        return torch.cat([self._search(query, k) for query in torch.split(queries, 1)])

    def _save(self, folder: Path) -> None:
        write(folder / "graph.hnsw", lambda path: self._graph.save_index(str(path)))

    def _load(self, folder: Path) -> None:
        graph = self._new_graph()
        graph.load_index(str(folder / "graph.hnsw"), max_elements=len(self))
        if graph.element_count != len(self):
            raise ValueError(f"graph of {graph.element_count} nodes for {len(self)} vectors")
        self._graph = graph

    def _new_graph(self) -> Any:
        space = "l2" if self.metric == "l2" else "ip"
        return hnswlib.Index(space, self._vectors.shape[1])

"""Exact search, inverted lists and navigable graphs, by the package faiss.

Douze et al., "The Faiss library", 2024, https://arxiv.org/abs/2401.08281.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import faiss
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from zoo.index.base import VectorIndex
from zoo.index.files import write

Kind = Literal["flat", "ivf", "hnsw"]

_LEAST_PER_LIST = 39
"""Vectors that faiss wants for each list it learns."""


@dataclass(eq=False)
class FaissIndex(VectorIndex):
    """One of faiss' kinds.

    `flat` and `ivf` really delete and replace. A graph cannot: what is out of date stays in it, is passed
    over when found, and goes when the graph is built again, once there is more of it than of all else.

    Attributes:
        kind: `flat` scores every vector; `ivf` scores those in the lists whose centres are nearest to the
            query, `IndexIVFFlat`; `hnsw` walks a graph, `IndexHNSWFlat`.
        lists: Of `ivf`, fewer where there are not 39 vectors for each; learned again when there are twice as
            many vectors as before.
        probes: Lists looked into; from `lists` upwards search is exact.
        M: Neighbours per node of `hnsw`.
        ef_construction: Width of its beam while building.
        ef_search: Width of its beam while searching, raised to k where below; from N upwards search is exact.
        threads: Of all of faiss in this process.
    """

    name: ClassVar[str] = "faiss"

    kind: Kind = "hnsw"
    lists: int = 256
    probes: int = 16
    M: int = 16
    ef_construction: int = 200
    ef_search: int = 128
    threads: int = 1
    _index: Any = field(init=False, repr=False, default=None)
    _learned: int = field(init=False, repr=False, default=0)
    _row_ids: Tensor = field(init=False, repr=False, default_factory=lambda: torch.zeros(0).long())

    def __post_init__(self) -> None:
        super().__post_init__()
        self._one_of("kind", get_args(Kind))
        self._integers(lists=1, probes=1, M=2, ef_construction=1, ef_search=1, threads=1)

    def _build(self) -> None:
        faiss.omp_set_num_threads(self.threads)
        rows = self._table.vectors
        dim, metric = rows.shape[1], faiss.METRIC_L2 if self.metric == "l2" else faiss.METRIC_INNER_PRODUCT
        if self.kind == "ivf":
            lists = max(1, min(self.lists, len(rows) // _LEAST_PER_LIST))
            self._index = faiss.index_factory(dim, f"IVF{lists},Flat", metric)
            self._index.train(rows.cpu().numpy())
            self._learned = len(rows)
        elif self.kind == "hnsw":
            self._index = faiss.IndexHNSWFlat(dim, self.M, metric)
            self._index.hnsw.efConstruction = self.ef_construction
            self._row_ids = torch.zeros(0, dtype=torch.int64)
        else:
            self._index = faiss.IndexIDMap2(faiss.IndexFlat(dim, metric))
        self._insert(rows, self._table.ids)

    def _insert(self, vectors: Tensor, ids: Tensor) -> None:
        if self.kind == "hnsw":
            # A graph numbers its rows as they come.
            self._index.add(self._centred(vectors))
            self._row_ids = torch.cat([self._row_ids, ids.cpu()])
        else:
            self._index.add_with_ids(vectors.cpu().numpy(), ids.cpu().numpy())

    def _put(self, vectors: Tensor, ids: Tensor, old: Tensor) -> None:
        self._drop(ids[old])
        if self.kind == "ivf" and len(self) >= 2 * self._learned:
            self._rebuild()
        else:
            self._insert(vectors, ids)

    def _drop(self, ids: Tensor) -> None:
        if self.kind == "hnsw":
            self._row_ids[torch.isin(self._row_ids, ids.cpu())] = 0
            self._stale += len(ids)
        else:
            self._index.remove_ids(ids.cpu().numpy())

    def _search(self, queries: Tensor, k: int) -> Tensor:
        faiss.omp_set_num_threads(self.threads)
        if self.kind == "hnsw":
            beam = max(k, self.ef_search)
            if beam >= len(self):
                return self._scanned(queries, k)
            # What is out of date takes its share of the beam.
            self._index.hnsw.efSearch = beam * self._index.ntotal // len(self)
        elif self.kind == "ivf":
            self._index.nprobe = self.probes
        found = torch.from_numpy(self._index.search(queries.cpu().numpy(), k)[1])
        if self.kind == "hnsw":
            found = self._row_ids[found].masked_fill(found < 0, 0)
        return found.clamp(min=0).to(queries.device)

    def _bytes(self) -> int:
        index = self._index
        own = index.ntotal * (4 * index.d + 8)
        if self.kind == "ivf":
            own += 4 * index.d * index.nlist
        elif self.kind == "hnsw":
            own += 4 * index.hnsw.neighbors.size() + 8 * index.hnsw.offsets.size()
        return super()._bytes() + int(own)

    def _save(self, folder: Path) -> None:
        write(folder / "index.faiss", lambda path: faiss.write_index(self._index, str(path)))
        rows = {"ids": self._row_ids}
        write(folder / "rows.safetensors", lambda path: save_file(rows, path))

    def _load(self, folder: Path) -> None:
        self._index = faiss.read_index(str(folder / "index.faiss"))
        self._row_ids = load_file(folder / "rows.safetensors")["ids"]
        self._stale = self._index.ntotal - len(self)
        if self._stale < 0 or len(self._row_ids) != (self._index.ntotal if self.kind == "hnsw" else 0):
            raise ValueError(f"index of {self._index.ntotal} rows for {len(self)} vectors")
        self._learned = len(self)

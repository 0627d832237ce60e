"""Search by Milvus: embedded in this process by default, or a server elsewhere.

Wang et al., "Milvus: A Purpose-Built Vector Data Management System", SIGMOD 2021,
https://doi.org/10.1145/3448016.3457550.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import torch
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException
from torch import Tensor

from zoo.index.base import VectorIndex

Kind = Literal["flat", "hnsw"]

_BATCH = 2000
"""Rows in a message; Milvus takes at most 64 MiB."""
_WIDEST = 16_384
"""The most results that Milvus gives; whoever wants more gets a scan."""


@dataclass(eq=False)
class MilvusIndex(VectorIndex):
    """A collection of a Milvus that is embedded (milvus-lite, in a folder), or a server or cluster.

    The collection holds what is searched, and is given up when the index is closed or no longer used. The
    vectors are kept here as well, since scores are computed from them, so an index is no larger than memory.

    Attributes:
        kind: `flat` scores every vector, `hnsw` walks a graph.
        path: Where an embedded Milvus keeps its files, a name ending in `.db`; by default in a temporary
            folder, which goes with the index.
        uri: Of a server or cluster, such as `http://localhost:19530`, instead; a token, if it wants one, is
            taken from the environment variable `MILVUS_TOKEN` and never saved.
        M: Neighbours per node of `hnsw`.
        ef_construction: Width of its beam while building.
        ef_search: Width of its beam while searching, raised to k where below; from N upwards search is exact.
    """

    name: ClassVar[str] = "milvus"

    kind: Kind = "flat"
    path: str | None = None
    uri: str | None = None
    M: int = 16
    ef_construction: int = 200
    ef_search: int = 128
    _collection: str = field(init=False, repr=False, default="")
    _client: Any = field(init=False, repr=False, default=None)
    _end: Callable[[], object] | None = field(init=False, repr=False, default=None)
    _folder: Path | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._one_of("kind", get_args(Kind))
        if self.path is not None and self.uri is not None:
            raise self._error("has both a path and a uri: an embedded Milvus has a path, a server a uri")
        if self.path is not None and not self.path.endswith(".db"):
            raise self._error(f"path must end in .db, found {self.path!r}")
        self._integers(M=2, ef_construction=1, ef_search=1)

    def close(self) -> None:
        """Gives up the collection, and stops an embedded Milvus that no other index uses."""
        if self._end is not None:
            self._end()
        self._end = self._client = None

    def _build(self) -> None:
        self.close()
        self._connect()
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self._table.vectors.shape[1])
        index = MilvusClient.prepare_index_params()
        graph = {"M": self.M, "efConstruction": self.ef_construction} if self.kind == "hnsw" else {}
        metric = "L2" if self.metric == "l2" else "IP"
        index.add_index("vector", index_type=self.kind.upper(), metric_type=metric, params=graph)
        name = self._collection
        self._client.create_collection(name, schema=schema, consistency_level="Strong")
        # Not waited for, as there is nothing to index yet.
        self._client.create_index(name, index, sync=False)
        # Released, or an embedded Milvus would index behind our back while it is searched without; loading
        # waits for it.
        self._client.release_collection(name)
        self._insert(self._client.insert, self._table.vectors, self._table.ids)
        # What is not flushed is searched without the index.
        self._client.flush(name)
        self._client.load_collection(name)

    def _insert(self, send: Callable[..., object], vectors: Tensor, ids: Tensor) -> None:
        rows = self._centred(vectors) if self.kind == "hnsw" else vectors.cpu().numpy()
        keys = ids.tolist()
        for start in range(0, len(keys), _BATCH):
            part = slice(start, start + _BATCH)
            pairs = zip(keys[part], rows[part], strict=True)
            send(self._collection, [{"id": one, "vector": row} for one, row in pairs])

    def _put(self, vectors: Tensor, ids: Tensor, old: Tensor) -> None:
        self._insert(self._client.upsert, vectors, ids)

    def _drop(self, ids: Tensor) -> None:
        for part in torch.split(ids, _BATCH):
            self._client.delete(self._collection, ids=part.tolist())

    def _search(self, queries: Tensor, k: int) -> Tensor:
        beam = max(k, self.ef_search) if self.kind == "hnsw" else 0
        if k > _WIDEST or beam >= len(self):
            return self._scanned(queries, k)
        effort = {"ef": beam} if self.kind == "hnsw" else {}
        found = torch.zeros(len(queries), k, dtype=torch.int64)
        if len(queries):
            rows = list(queries.cpu().numpy())
            # The id alone: without naming a field an embedded Milvus sends the vectors too.
            answers = self._client.search(
                self._collection, data=rows, limit=k, search_params={"params": effort}, output_fields=["id"]
            )
            for row, answer in zip(found, answers, strict=True):
                row[: len(answer)] = torch.tensor([hit["id"] for hit in answer], dtype=torch.int64)
        return found.to(queries.device)

    def _connect(self) -> None:
        self._folder = None
        if self.uri is None:
            if find_spec("milvus_lite") is None:
                raise self._error("an embedded Milvus is missing: pip install 'funnelzoo[milvus]'")
            if self.path is None:
                self._folder = Path(tempfile.mkdtemp(prefix="zoo-milvus-"))
        place = self.uri or self._lite
        try:
            self._client = MilvusClient(place, token=os.environ.get("MILVUS_TOKEN", ""))
        except MilvusException as error:
            raise self._error(f"cannot reach {place}: {error.message}") from None
        self._collection = f"zoo_{uuid.uuid4().hex}"
        end = (self._client, self._collection, self._lite, self._folder)
        self._end = weakref.finalize(self, _give_up, *end)

    @property
    def _lite(self) -> str:
        """The file of an embedded Milvus, empty for a server."""
        if self.uri is not None:
            return ""
        return self.path or str(self._folder / "index.db" if self._folder else "")

    def _bytes(self) -> int:
        """With what an embedded Milvus has on disk; what a server holds is not known here."""
        files = Path(self._lite).rglob("*") if self._lite else []
        return super()._bytes() + sum(path.stat().st_size for path in files if path.is_file())


def _give_up(client: Any, collection: str, lite: str, folder: Path | None) -> None:
    client.drop_collection(collection)
    others = client.list_collections() if lite else ["whatever it has"]
    client.close()
    if lite and not others:
        from milvus_lite.server_manager import server_manager_instance

        server_manager_instance.release_server(lite)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)

"""The bases of recall models: search the catalogue, or score given items."""

from __future__ import annotations

import json
import shutil
from abc import abstractmethod
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.config import ModelConfig
from zoo.core.schema import Schema
from zoo.core.topk import is_member, search_beyond
from zoo.core.types import Batch, Candidates, Request
from zoo.index import VectorIndex, create_index, load_index
from zoo.losses import in_batch_softmax
from zoo.training.module import ZooModel, write_text

ENCODE_CHUNK = 8192


class RetrievalModel(ZooModel):
    """Finds items for users, known or new, from their features and histories."""

    @abstractmethod
    def search(self, request: Request, k: int) -> tuple[Tensor, Tensor]:
        """The best `k` items: ids `(B, k)`, 0 where there are fewer, and scores `(B, k)`, best first."""

    @abstractmethod
    def score(self, request: Request, ids: Tensor) -> Tensor:
        """`(B, K)` scores of given items, on the scale of `search`; what padding gets is undefined."""

    def columns(self, request: Request, ids: Tensor) -> Batch:
        """Named `(B, K)` features of given items for later stages: the score, and more if there is more."""
        return {"score": self.score(request, ids)}

    @torch.no_grad()
    def recall(self, request: Request, k: int, exclude: Tensor | None = None) -> Candidates:
        """The best `k` items that are not excluded.

        Args:
            request: B requests.
            k: Items wanted.
            exclude: `(B, S)` item ids, 0 is padding.
        """
        if exclude is None or not exclude.shape[1]:
            ids, scores = self.search(request, min(k, self.schema.n_items))
            return Candidates.of(ids, scores)

        def search(rows: Tensor, width: int) -> tuple[Tensor, Tensor]:
            return self.search(request.rows(rows), min(width, self.schema.n_items))

        ids, scores = search_beyond(k, (exclude > 0).sum(1), search)
        ids = ids.masked_fill(is_member(ids, exclude), 0)
        return Candidates.of(ids, scores).compact(k)


class EmbeddingRetrieval(RetrievalModel):
    """User and item vectors, trained with an in-batch softmax, searched with a vector index.

    Subclasses set `temperature` and `log_q`, and define the two encoders.

    Attributes:
        history_length: Newest events that the user encoder looks at, None for all there are.
        index: Where item vectors are searched; replace it before `prepare`, the default is exact.
        keep_index: Save the built index with the model, so that loading it takes no building; else only the
            index's kind and options are saved.
    """

    temperature: float
    log_q: torch.nn.Module
    history_length: int | None = None
    keep_index: bool = False

    def __init__(self, schema: Schema, config: ModelConfig) -> None:
        super().__init__(schema, config)
        self.index: VectorIndex = create_index("exact", metric="cosine")
        self.register_buffer("vectors", torch.zeros(0, 0), persistent=False)

    @abstractmethod
    def encode_user(self, batch: Batch) -> Tensor:
        """`(B, D)` from request-level features."""

    @abstractmethod
    def encode_item(self, batch: Batch) -> Tensor:
        """`(…, D)` from static item features `(…)`."""

    def loss(self, batch: Batch) -> Tensor:
        """In-batch softmax with log-Q correction: each row's item against the other rows' items."""
        ids = batch["item_id"]
        user, item = self.encode_user(batch), self.encode_item(batch)
        return in_batch_softmax(user, item, ids, self.log_q(ids), self.temperature)

    def save_extra(self, folder: Path) -> None:
        """Adds `index.json`: name and options of the index; and the folder `index` with `keep_index`."""
        write_text(folder / "index.json", json.dumps({"name": self.index.name, **self.index.options()}))
        shutil.rmtree(folder / "index", ignore_errors=True)
        if self.keep_index:
            self.index.save(folder / "index")

    def load_extra(self, folder: Path) -> None:
        """Takes the saved index, or its kind."""
        self.keep_index = (folder / "index").exists()
        described = json.loads((folder / "index.json").read_text())
        self.index = load_index(folder / "index") if self.keep_index else create_index(**described)

    @torch.no_grad()
    def prepare(self, catalogue: Batch) -> None:
        """Encodes all items and builds the index, unless it was loaded and holds them already."""
        count = len(catalogue["item_id"])
        parts = [
            self.encode_item({name: x[i : i + ENCODE_CHUNK] for name, x in catalogue.items()})
            for i in range(0, count, ENCODE_CHUNK)
        ]
        self.vectors = F.normalize(torch.cat(parts), dim=1)
        ids = torch.arange(1, count, device=self.vectors.device)
        if not self.index.holds(self.vectors[1:], ids):
            self.index.build(self.vectors[1:], ids)

    @torch.no_grad()
    def search(self, request: Request, k: int) -> tuple[Tensor, Tensor]:
        """The best `k` by cosine, as found by the index."""
        return self.index.search(self.query(request), k)

    @torch.no_grad()
    def recall(self, request: Request, k: int, exclude: Tensor | None = None) -> Candidates:
        """The best `k` items that are not excluded, which the index leaves out as it searches.

        Args:
            request: B requests.
            k: Items wanted.
            exclude: `(B, S)` item ids, 0 is padding.
        """
        if exclude is None or not exclude.shape[1]:
            return super().recall(request, k)
        return Candidates.of(*self.index.search(self.query(request), k, exclude))

    def query(self, request: Request) -> Tensor:
        """`(B, D)` user vectors as the index takes them: of unit length, so an inner product is a cosine."""
        return F.normalize(self.encode_user(request.features), dim=1)

    @torch.no_grad()
    def score(self, request: Request, ids: Tensor) -> Tensor:
        """`(B, K)` cosine."""
        user = F.normalize(self.encode_user(request.features), dim=1)
        return torch.einsum("bd,bkd->bk", user, self.vectors[ids])

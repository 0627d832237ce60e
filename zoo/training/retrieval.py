"""The bases of recall models: search the catalogue, or score given items."""

from __future__ import annotations

import json
import shutil
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.config import ModelConfig
from zoo.core.errors import UserError
from zoo.core.rows import Rows
from zoo.core.schema import Schema
from zoo.core.topk import is_member, search_beyond
from zoo.core.types import Batch, Candidates, Request
from zoo.index import VectorIndex, create_index, load_index
from zoo.losses import in_batch_softmax
from zoo.training.module import ZooModel, write_text

ENCODE_CHUNK = 8192


class RetrievalModel(ZooModel):
    """Finds items for users, known or new, from their features and histories.

    Attributes:
        takes_vectors: Whether it can build on the item vectors of another model.
        history_length: Newest events that a training batch must hold, None for all there are.
    """

    takes_vectors: ClassVar[bool] = False
    history_length: int | None = None

    def before_fit(self, catalogue: Batch, vectors: Tensor | None = None) -> None:
        """Sees the items; call once for a fresh model, before fitting.

        Args:
            catalogue: Features of all items, `(n_items + 1, …)`, row 0 for padding.
            vectors: `(n_items + 1, D)` of another model, its `item_vectors`.

        Raises:
            UserError: Vectors that it does not take.
        """
        if vectors is not None and not self.takes_vectors:
            raise UserError(f"{self.registry_name} takes no vectors of another model")

    @abstractmethod
    def search(self, request: Request, k: int) -> tuple[Tensor, Tensor]:
        """The best `k` items: ids `(B, k)`, 0 where there are fewer, and scores `(B, k)`, best first."""

    @abstractmethod
    def score(self, request: Request, ids: Tensor) -> Tensor:
        """`(B, K)` scores of given items, on the scale of `search`; what padding gets is undefined."""

    def item_vectors(self) -> Tensor:
        """`(n_items + 1, D)` for other models to build on, once prepared.

        Raises:
            UserError: The model has none.
        """
        raise UserError(f"{self.registry_name} has no item vectors that another model could use")

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
        index: Where item vectors are searched; replace it before `prepare`, the default is exact.
        keep_index: Save the built index with the model, so that loading it takes no building; else only the
            index's kind and options are saved.
    """

    temperature: float
    log_q: torch.nn.Module
    keep_index: bool = False

    def __init__(self, schema: Schema, config: ModelConfig) -> None:
        super().__init__(schema, config)
        self.index: VectorIndex = create_index("exact", metric="cosine")
        self.register_buffer("vectors", torch.zeros(0, 0), persistent=False)

    def rows(self) -> Rows:
        """The rows that `loss` is to be given, by `zoo.data.training.training_view`."""
        return Rows(self.history_length)

    def id_tables(self) -> dict[str, torch.nn.Embedding]:
        """The embeddings of `item_id` and `user_id`, which may move alone; see `zoo.training.update`."""
        return {}

    def on_train_start(self) -> None:
        """Lets the model begin with what the pairs of user and item tell, where they are at hand."""
        super().on_train_start()
        # A trainer that was given bare batches has none.
        if (pairs := getattr(getattr(self.trainer, "datamodule", None), "pairs", None)) is not None:
            self.begin(*pairs)

    def begin(self, user: Tensor, item: Tensor) -> None:
        """Looks at all pairs `(E,)` of a user's row and an item before the first step of every fit."""

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
        hard = self._hard(user, batch) if "hard:item_id" in batch else None
        log_q, weight = self.log_q(ids), batch.get("weight")
        return in_batch_softmax(user, item, ids, log_q, self.temperature, weight, hard)

    def _hard(self, user: Tensor, batch: Batch) -> Tensor:
        """`(B, M)` cosines with negatives of each row's own, -inf for padding and for the row's positive."""
        items = {name.removeprefix("hard:"): x for name, x in batch.items() if name.startswith("hard:")}
        vectors = F.normalize(self.encode_item(items), dim=-1)
        cosine = torch.einsum("bd,bmd->bm", F.normalize(user, dim=-1), vectors)
        ids = items["item_id"]
        return cosine.masked_fill((ids == 0) | (ids == batch["item_id"][:, None]), -torch.inf)

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

    def item_vectors(self) -> Tensor:
        """`(n_items + 1, D)` of unit length."""
        return self.vectors

    def query(self, batch: Batch) -> Tensor:
        """`(B, D)` of unit length, so that an inner product is a cosine: what is searched with."""
        return F.normalize(self.encode_user(batch), dim=1)

    @torch.no_grad()
    def search(self, request: Request, k: int) -> tuple[Tensor, Tensor]:
        """The best `k` by cosine, as found by the index."""
        return self.index.search(self.query(request.features), k)

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
        return Candidates.of(*self.index.search(self.query(request.features), k, exclude))

    @torch.no_grad()
    def score(self, request: Request, ids: Tensor) -> Tensor:
        """`(B, K)` cosine."""
        return torch.einsum("bd,bkd->bk", self.query(request.features), self.vectors[ids])

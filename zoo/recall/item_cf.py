"""Items that the same users chose."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.topk import stable_topk
from zoo.core.types import Batch, Request
from zoo.layers.history import recency
from zoo.training import CountingModel

BLOCK = 1 << 26
"""Most floats of a dense block of co-counts or of its users, 256 MiB."""


@dataclass(frozen=True)
class ItemCFConfig(ModelConfig):
    """Options of `recall/item_cf`; the defaults are the plain cosine of the course.

    Attributes:
        behaviour: Events that count as liking an item.
        neighbours: Similar items kept per item.
        keep: Per `seed`, the items most similar to each history item; per `target`, for each item to
            recommend the history items most similar to it.
        popularity_power: α of `sim = Σ like·like / (n_i n_j)^α`; ½ is the cosine.
        activity_power: Each user's votes are divided by the user's number of liked items to this power.
        history_length: Newest events of a user that vote, the course's lastN.
        half_life: A history item votes half after this many newer ones; None for all the same.
    """

    behaviour: str = "watch"
    neighbours: int = 10
    keep: Literal["seed", "target"] = "seed"
    popularity_power: float = 0.5
    activity_power: float = 0.0
    history_length: int = 200
    half_life: float | None = None

    def __post_init__(self) -> None:
        demand(
            (self.neighbours >= 1, f"neighbours must be at least 1, found {self.neighbours}"),
            (self.history_length >= 1, f"history_length must be at least 1, found {self.history_length}"),
            (self.half_life is None or self.half_life > 0, "half_life must be above 0 or null"),
        )


@register
class ItemCF(CountingModel):
    """Items similar to those in the history: `score(u, i) = Σ_j w_j · sim(j, i)`.

    "Item-Based Collaborative Filtering Recommendation Algorithms" (Sarwar, Karypis, Konstan, Riedl, WWW
    2001, https://doi.org/10.1145/371920.372071). Unlike in the paper, likes are binary, and the power of
    the popularity, the users' activity and the age of a history item may be weighed.
    """

    Config: ClassVar[type[ModelConfig]] = ItemCFConfig
    offsets: Tensor
    targets: Tensor
    similarities: Tensor

    def __init__(self, schema: Schema, config: ItemCFConfig) -> None:
        super().__init__(schema, config)
        self.config = config
        self.sequence = schema.history(config.behaviour).name
        self.register_buffer("offsets", torch.zeros(schema.n_items + 2, dtype=torch.int64))
        self.register_buffer("targets", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("similarities", torch.zeros(0))
        self.start()

    def start(self) -> None:
        """No user has come yet."""
        self._users, self._likes = 0, list[Tensor]()

    def count(self, batch: Batch) -> None:
        """Keeps who likes what, numbered by user and item; the votes are multiplied once all are there."""
        history = batch[self.sequence]
        user, place = history.nonzero(as_tuple=True)
        number = (user + self._users) * (self.schema.n_items + 1) + history[user, place]
        # An item chosen again is not liked twice.
        self._likes.append(number.unique())
        self._users += len(history)

    def finish(self) -> None:
        """Builds the table of neighbours, a block of items at a time."""
        votes = self._votes()
        items, users = votes.shape
        liked = torch.bincount(votes.indices()[0], minlength=items).clamp(min=1)
        scale = liked.float() ** -self.config.popularity_power
        rows = votes.to_sparse_csr()
        width = max(1, BLOCK // max(items, users))
        blocks = [self._neighbours(rows, scale, i, min(i + width, items)) for i in range(0, items, width)]
        self._store(*(torch.cat(part) for part in zip(*blocks, strict=True)))
        self.start()

    def _votes(self) -> Tensor:
        """`(n_items + 1, users)` sparse, each user's column of votes scaled by the user's activity."""
        items, likes = self.schema.n_items + 1, torch.cat(self._likes)
        user, item = likes // items, likes % items
        # Half the power: a pair of votes multiplies both.
        votes = user.bincount(minlength=self._users)[user] ** (-self.config.activity_power / 2)
        cells = torch.stack([item, user])
        return torch.sparse_coo_tensor(cells, votes.float(), (items, self._users)).coalesce()

    def _neighbours(
        self, rows: Tensor, scale: Tensor, start: int, stop: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Fixed item, neighbour and similarity of the best pairs of items `start:stop`."""
        block = torch.stack([rows[i].to_dense() for i in range(start, stop)], dim=1)
        together = (rows @ block).T * scale[start:stop, None] * scale
        own = torch.arange(start, stop, device=scale.device)
        together[own - start, own] = 0
        similarity, other = stable_topk(together, self.config.neighbours)
        found = similarity > 0
        fixed = own[:, None].expand_as(other)
        return fixed[found], other[found], similarity[found]

    def _store(self, fixed: Tensor, other: Tensor, similarity: Tensor) -> None:
        """Rows by history item, whichever side the neighbours were kept for."""
        seed, target = (fixed, other) if self.config.keep == "seed" else (other, fixed)
        order = (seed * (self.schema.n_items + 1) + target).argsort()
        self.targets, self.similarities = target[order], similarity[order]
        rows = torch.arange(self.schema.n_items + 2, device=seed.device)
        self.offsets = torch.searchsorted(seed[order], rows)

    def _scores(self, history: Tensor) -> Tensor:
        """`(B, n_items + 1)` from a history `(B, L)`, newest first."""
        history = history[:, : self.config.history_length]
        weight = recency(history, self.config.half_life)
        size = self.schema.n_items + 1
        votes = weight.new_zeros(len(history), size).scatter_add_(1, history, weight)
        return (self._table @ votes.T).T

    @property
    def _table(self) -> Tensor:
        """`(n_items + 1, n_items + 1)` sparse, a row per target."""
        cached = self.__dict__.get("_table_cache")
        if cached is None or cached[0] is not self.similarities:
            size = self.schema.n_items + 1
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Sparse (CSR tensor support|invariant checks)")
                by_seed = torch.sparse_csr_tensor(self.offsets, self.targets, self.similarities, (size, size))
                cached = (self.similarities, by_seed.to_sparse_coo().T.coalesce().to_sparse_csr())
            self.__dict__["_table_cache"] = cached
        return cached[1]

    def search(self, request: Request, k: int) -> tuple[Tensor, Tensor]:
        """The best `k` of the items that have a similar one in the history."""
        scores, ids = stable_topk(self._scores(request.features[self.sequence]), k)
        return ids.masked_fill(scores <= 0, 0), scores

    def score(self, request: Request, ids: Tensor) -> Tensor:
        """`(B, K)`, 0 where nothing in the history is similar."""
        return self._scores(request.features[self.sequence]).gather(1, ids)

    def columns(self, request: Request, ids: Tensor) -> Batch:
        """Beside the score, that of the newest event alone and of the five newest."""
        history = request.features[self.sequence]
        parts = {"score": history, "last1": history[:, :1], "last5": history[:, :5]}
        return {name: self._scores(part).gather(1, ids) for name, part in parts.items()}

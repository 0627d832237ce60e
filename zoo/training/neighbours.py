"""The base of models whose items vote for the items that are similar to them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.schema import Schema
from zoo.core.types import Batch, Candidates, Request
from zoo.training.counting import CountingModel
from zoo.training.likes import Likers, LikesGathered, power


@dataclass(frozen=True)
class NeighbourConfig(ModelConfig):
    """Options of every model of similar items.

    Attributes:
        behaviour: Events that count as liking an item.
        neighbours: Similar items kept per item.
        keep: Per `seed`, the items most similar to each history item; per `target`, for each item to
            recommend the history items most similar to it.
        history_length: Newest events of a user that vote, the course's lastN.
        half_life: A history item votes half after this many newer ones; None for all the same.
    """

    behaviour: str = "watch"
    neighbours: int = 10
    keep: Literal["seed", "target"] = "seed"
    history_length: int = 200
    half_life: float | None = None

    def __post_init__(self) -> None:
        demand(
            (self.neighbours >= 1, f"neighbours must be at least 1, found {self.neighbours}"),
            (self.history_length >= 1, f"history_length must be at least 1, found {self.history_length}"),
            (self.half_life is None or self.half_life > 0, "half_life must be above 0 or null"),
        )


class NeighbourModel(CountingModel):
    """Items similar to those in the history: `score(u, i) = Σ_j w_j · sim(j, i)`, w by the age of j.

    Attributes:
        offsets: `(n_items + 2,)`; item j has the neighbours `offsets[j]:offsets[j + 1]`.
        targets: `(N,)` int32 ids of neighbours, ascending for every item.
        similarities: `(N,)`.
    """

    offsets: Tensor
    targets: Tensor
    similarities: Tensor

    def __init__(self, schema: Schema, config: NeighbourConfig) -> None:
        super().__init__(schema, config)
        self.neighbour_config = config
        self.sequence = schema.history(config.behaviour).name
        self.register_buffer("offsets", torch.zeros(schema.n_items + 2, dtype=torch.int64))
        self.register_buffer("targets", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("similarities", torch.zeros(0))
        self.start()

    @abstractmethod
    def similar(self, likes: Likers) -> tuple[Any, Any, Any]:
        """Arrays `(N,)` of items, of the neighbours kept for them, and of their similarities above 0."""

    def start(self) -> None:
        """No user has come yet."""
        self._gathered = LikesGathered(self.sequence)

    def count(self, batch: Batch) -> None:
        """Keeps who likes what; it is counted once all are there."""
        self._gathered.add(batch)

    def finish(self) -> None:
        """Builds the table of neighbours."""
        self._store(*self.similar(self._gathered.all().by_item(self.schema.n_items + 1)))
        self.start()

    def _store(self, fixed: Any, other: Any, similarity: Any) -> None:
        """Rows by history item, whichever side the neighbours were kept for."""
        seed, target = (fixed, other) if self.neighbour_config.keep == "seed" else (other, fixed)
        size = self.schema.n_items + 1
        key = torch.from_numpy(seed.astype(np.int64) * size + target)
        key, order = key.sort()
        self.targets = (key % size).int()
        self.similarities = torch.from_numpy(similarity)[order]
        self.offsets = torch.searchsorted(key, torch.arange(size + 1) * size)

    def _table(self, history: Any) -> tuple[Any, Any, Any, Any]:
        """Where the neighbours of each item start and stop, neighbours and similarities.

        Args:
            history: `(B, L)` the items whose neighbours are wanted.
        """
        offsets, targets = self.offsets.numpy(), self.targets.numpy().view(np.uint32)
        return offsets[:-1], offsets[1:], targets, self.similarities.numpy()

    def _history(self, request: Request, newest: int | None = None) -> tuple[Any, Any]:
        """`(B, L)` int64 item ids, and `(B, L')` float32 weights of the newest that vote."""
        history = np.ascontiguousarray(request.features[self.sequence].cpu().numpy())
        length = min(history.shape[1], self.neighbour_config.history_length, newest or history.shape[1])
        weights = decay(length, self.neighbour_config.half_life)
        return history, np.broadcast_to(weights, (len(history), length))

    @torch.no_grad()
    def recall(self, request: Request, k: int, exclude: Tensor | None = None) -> Candidates:
        """The best `k` of the items that have a similar one in the history and are not excluded."""
        from zoo.kernels.votes import recalled

        history, weights = self._history(request)
        excluded = np.ascontiguousarray(history[:, :0] if exclude is None else exclude.cpu().numpy())
        k = min(k, self.schema.n_items)
        ids, scores = recalled(history, weights, excluded, self._table(history), self.schema.n_items + 1, k)
        return Candidates.of(torch.from_numpy(ids), torch.from_numpy(scores))

    def search(self, request: Request, k: int) -> tuple[Tensor, Tensor]:
        """The best `k` of the items that have a similar one in the history."""
        found = self.recall(request, k)
        return found.ids, found.scores

    def score(self, request: Request, ids: Tensor) -> Tensor:
        """`(B, K)`, 0 where nothing in the history is similar."""
        return self._scores(request, ids, None)

    def columns(self, request: Request, ids: Tensor) -> Batch:
        """Beside the score, that of the newest event alone and of the five newest."""
        lengths = {"score": None, "last1": 1, "last5": 5}
        return {name: self._scores(request, ids, newest) for name, newest in lengths.items()}

    def _scores(self, request: Request, ids: Tensor, newest: int | None) -> Tensor:
        from zoo.kernels.votes import scored

        history, weights = self._history(request, newest)
        wanted = np.ascontiguousarray(ids.cpu().numpy())
        return torch.from_numpy(
            scored(history, weights, self._table(history), self.schema.n_items + 1, wanted)
        )


def decay(length: int, half_life: float | None) -> Any:
    """`(length,)` float32 weight of events, newest first: halved every `half_life` events back."""
    back = np.arange(length, dtype=np.float32)
    return (
        np.ones(length, np.float32)
        if half_life is None
        else np.float32(0.5) ** (back / np.float32(half_life))
    )


def liked_together(
    likes: Likers, k: int, own: float, other: float, activity: float = 0.0
) -> tuple[Any, Any, Any]:
    """Arrays `(N,)` of items, of the `k` items most liked by the same users, and of their similarities.

    Args:
        likes: Who likes what.
        k: Neighbours kept.
        own: Power of the item's popularity that divides.
        other: Power of the neighbour's popularity that divides.
        activity: Power of a user's activity that divides the user's votes.
    """
    from zoo.kernels.pairs import nearest

    weights = power(likes.activity, activity) if activity else np.ones(len(likes.users), np.float32)
    scales = power(likes.popularity, own), power(likes.popularity, other)
    return nearest(likes.offsets, likes.likers, weights, *scales, k)

"""User and item vectors by alternating least squares over all pairs, chosen or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.topk import without_repeats
from zoo.core.types import Batch, Request
from zoo.index import VectorIndex, create_index
from zoo.layers.history import recency
from zoo.training import CountingModel

BLOCK = 1 << 20
"""Most floats of the vectors gathered for one block of rows, 4 MiB, so that they stay in the cache."""


@dataclass(frozen=True)
class IALSConfig(ModelConfig):
    """Options of `recall/ials`.

    Attributes:
        behaviour: Events that count as choosing an item.
        embed_dim: Of the vectors.
        unobserved: Weight α of a pair that was not chosen, against 1 of one that was.
        l2: The penalty λ of a squared vector, for a user or item with one event and no weight unobserved.
        frequency_power: The penalty grows with this power ν of a row's total weight, as
            `λ_u = λ (events + α n)^ν`; at 0 all vectors are penalised alike.
        sweeps: Times that all users, then all items are solved for.
        history_length: Newest events of a user that the user's vector is solved from.
        half_life: A history item weighs half after this many newer ones; None for all the same.
    """

    behaviour: str = "watch"
    embed_dim: int = 64
    unobserved: float = 0.1
    l2: float = 0.003
    frequency_power: float = 1.0
    sweeps: int = 16
    history_length: int = 200
    half_life: float | None = None

    def __post_init__(self) -> None:
        demand(
            (self.embed_dim >= 1, f"embed_dim must be at least 1, found {self.embed_dim}"),
            (self.unobserved > 0, f"unobserved must be above 0, found {self.unobserved}"),
            (self.l2 > 0, f"l2 must be above 0, found {self.l2}"),
            (self.sweeps >= 1, f"sweeps must be at least 1, found {self.sweeps}"),
            (self.history_length >= 1, f"history_length must be at least 1, found {self.history_length}"),
            (self.half_life is None or self.half_life > 0, "half_life must be above 0 or null"),
        )


@register
class IALS(CountingModel):
    """`Σ_chosen (1 - ⟨u,v⟩)² + α Σ_all ⟨u,v⟩² + Σ λ_u‖u‖² + Σ λ_v‖v‖²`, solved for users and items in turn.

    "Revisiting the Performance of iALS on Item Recommendation Benchmarks" (Rendle, Krichene, Zhang, Koren,
    RecSys 2022, https://arxiv.org/abs/2110.14037), which is the method of Hu, Koren and Volinsky (ICDM 2008,
    https://doi.org/10.1109/ICDM.2008.22) with penalties scaled by frequency. Unlike there, no user's vector
    is kept: every request is solved for from its history, in which old events may weigh less.
    """

    Config: ClassVar[type[ModelConfig]] = IALSConfig
    items: Tensor

    def __init__(self, schema: Schema, config: IALSConfig) -> None:
        super().__init__(schema, config)
        self.config = config
        self.sequence = schema.history(config.behaviour).name
        # Of its own, so that fitting again starts from the same vectors, and other seeds from others.
        self._seed = int(torch.randint(2**31, ()))
        self.register_buffer("items", torch.zeros(schema.n_items + 1, config.embed_dim))
        self.index: VectorIndex = create_index("exact")
        self.start()

    def start(self) -> None:
        """No user has come yet."""
        self._users, self._likes = 0, list[Tensor]()

    def count(self, batch: Batch) -> None:
        """Keeps who chose what, numbered by user and item."""
        history = batch[self.sequence]
        user, place = history.nonzero(as_tuple=True)
        number = (user + self._users) * (self.schema.n_items + 1) + history[user, place]
        self._likes.append(number.unique())
        self._users += len(history)

    def finish(self) -> None:
        """Solves for users and items in turn; the users' vectors are dropped."""
        user, item = self._pairs()
        by_user, by_item = Rows.of(user, item, self._users), Rows.of(item, user, len(self.items))
        draw = torch.Generator().manual_seed(self._seed)
        start = torch.randn(self.items.shape, generator=draw) * 0.1 / self.config.embed_dim**0.5
        items = start.to(self.items.device)
        # Padding stands for no item, and so it must not count as one that nobody chose.
        items[0] = 0
        for _ in range(self.config.sweeps):
            users = self._half_step(items, by_user, self.schema.n_items)
            items = self._half_step(users, by_item, self._users)
        self.items = items
        self.start()

    def _pairs(self) -> tuple[Tensor, Tensor]:
        """Users and items of all chosen pairs, sorted by user; users ordered by what they chose."""
        size, likes = self.schema.n_items + 1, torch.cat(self._likes)
        user, item = likes // size, likes % size
        # Sums of floats must not depend on the order in which a loader brings the users.
        draw = torch.Generator().manual_seed(0)
        mark = torch.randint(-(2**62), 2**62, (size,), generator=draw).to(likes.device)
        place = likes.new_zeros(self._users).index_add_(0, user, mark[item]).argsort().argsort()
        likes = (place[user] * size + item).sort().values
        return likes // size, likes % size

    def _half_step(self, others: Tensor, rows: Rows, count: int) -> Tensor:
        """Vectors `(N, D)` of all rows, given those of the other side `(M, D)`, of which `count` are real."""
        gram = others.T @ others
        solved = others.new_zeros(rows.size, others.shape[1])
        for index, ids, weight in rows.blocks(others.shape[1]):
            solved[index] = self._solve(others, gram, ids, weight, count)
        return solved

    def _solve(self, others: Tensor, gram: Tensor, ids: Tensor, weight: Tensor, count: int) -> Tensor:
        """The best vectors `(B, D)` for rows that chose `ids` `(B, L)` with `weight` `(B, L)`, 0 for padding.

        As precise as `gram`.
        """
        alpha, eye, weight = self.config.unobserved, torch.eye(len(gram)).to(gram), weight.to(gram.dtype)
        penalty = self.config.l2 * (weight.sum(1) + alpha * count) ** self.config.frequency_power
        chosen = others[ids].to(gram.dtype)
        weighted = chosen * weight[..., None]
        matrix = weighted.mT @ chosen + alpha * gram + penalty[:, None, None] * eye
        return torch.cholesky_solve(weighted.sum(1)[..., None], torch.linalg.cholesky(matrix)).squeeze(2)

    def prepare(self, catalogue: Batch) -> None:
        """Builds the index and what all requests share."""
        # Twice as precise as a request's scores, so that they do not depend on who else is in its batch.
        self._gram = self.items.double().T @ self.items.double()
        self.index.build(self.items[1:], torch.arange(1, len(self.items), device=self.items.device))

    def item_vectors(self) -> Tensor:
        """`(n_items + 1, embed_dim)`."""
        return self.items

    def encode_user(self, batch: Batch) -> Tensor:
        """`(B, embed_dim)`, solved for from the history; an item chosen again counts once."""
        history = without_repeats(batch[self.sequence][:, : self.config.history_length])
        weight = recency(history, self.config.half_life)
        return self._solve(self.items, self._gram, history, weight, self.schema.n_items).float()

    def search(self, request: Request, k: int) -> tuple[Tensor, Tensor]:
        """The best `k` by inner product; none without a history."""
        ids, scores = self.index.search(self.encode_user(request.features), k)
        empty = (request.features[self.sequence] == 0).all(1, keepdim=True)
        return ids.masked_fill(empty, 0), scores

    def score(self, request: Request, ids: Tensor) -> Tensor:
        """`(B, K)` inner product, near 1 for an item that will surely be chosen."""
        return torch.einsum("bd,bkd->bk", self.encode_user(request.features), self.items[ids])


@dataclass(frozen=True)
class Rows:
    """Users with their items, or items with their users, in blocks of like lengths.

    Attributes:
        size: Number of rows N.
        order: `(N,)` rows, longest first.
        length: `(N,)` of the rows in that order.
        first: `(N,)` where their ids begin.
        ids: `(E,)`.
    """

    size: int
    order: Tensor
    length: Tensor
    first: Tensor
    ids: Tensor

    @classmethod
    def of(cls, row: Tensor, ids: Tensor, size: int) -> Rows:
        """From the pairs of a row and an id."""
        ids = ids[row.argsort(stable=True)]
        length = row.bincount(minlength=size)
        longest, order = length.sort(descending=True, stable=True)
        return cls(size, order, longest, (length.cumsum(0) - length)[order], ids)

    def blocks(self, dim: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Rows `(B,)`, their ids `(B, L)` and weights `(B, L)`: 1, or 0 for padding."""
        low = 0
        while low < self.size:
            # Rows of nobody have a zero vector, which they are given from the start.
            if not (longest := int(self.length[low])):
                return
            high = low + max(1, BLOCK // (longest * dim + dim * dim))
            place = torch.arange(longest, device=self.ids.device)
            weight = (place < self.length[low:high, None]).float()
            at = (self.first[low:high, None] + place).clamp(max=len(self.ids) - 1)
            yield self.order[low:high], self.ids[at], weight
            low = high

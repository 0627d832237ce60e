"""Each item predicted from all others by ridge regression, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.errors import UserError
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.topk import stable_topk, without_repeats
from zoo.core.types import Batch, Request
from zoo.layers.history import recency
from zoo.training import CountingModel

PAIRS = 1 << 22
"""Pairs of items counted at once; each takes some 40 bytes."""

PAIR_COST = 1000
"""A pair counted costs about as much as so many multiplications of a matrix product."""


@dataclass(frozen=True)
class EASEConfig(ModelConfig):
    """Options of `recall/ease`.

    Attributes:
        behaviour: Events that count as choosing an item.
        l2: The ridge penalty λ, in users: more of it trusts pairs of rare items less.
        neighbours: Weights kept for each item to recommend, those largest in size; None for all, which then
            take 4 (n + 1)² bytes of the saved model for n items.
        history_length: Newest events of a user that vote.
        half_life: A history item votes half after this many newer ones; None for all the same.
        max_items: A larger catalogue is refused, because fitting takes a matrix of 4 (n + 1)² bytes (10 GB at
            50,000 items) and about n³ floating-point operations.
    """

    behaviour: str = "watch"
    l2: float = 500.0
    neighbours: int | None = None
    history_length: int = 200
    half_life: float | None = None
    max_items: int = 50_000

    def __post_init__(self) -> None:
        demand(
            (self.l2 > 0, f"l2 must be above 0, found {self.l2}"),
            (self.neighbours is None or self.neighbours >= 1, "neighbours must be at least 1 or null"),
            (self.history_length >= 1, f"history_length must be at least 1, found {self.history_length}"),
            (self.half_life is None or self.half_life > 0, "half_life must be above 0 or null"),
        )


@register
class EASE(CountingModel):
    """Scores `x B` of a history x, with B the best linear model of each item by the others.

    `B = argmin ‖X - X B‖² + λ‖B‖²` with a diagonal of 0, solved by `B_ij = -P_ij / P_jj` with
    `P = (XᵀX + λI)⁻¹`.

    "Embarrassingly Shallow Autoencoders for Sparse Data" (Steck, WWW 2019, https://arxiv.org/abs/1905.03375).
    Unlike in the paper, a history item may weigh less the older it is, small weights may be dropped, and
    items against which the history speaks are not recommended at all.
    """

    Config: ClassVar[type[ModelConfig]] = EASEConfig
    weights: Tensor
    sources: Tensor

    def __init__(self, schema: Schema, config: EASEConfig) -> None:
        super().__init__(schema, config)
        self.config, size = config, schema.n_items + 1
        self.sequence = schema.history(config.behaviour).name
        if schema.n_items > config.max_items:
            raise UserError(
                f"{self.registry_name}: max_items: {schema.n_items:,} items need a matrix of "
                f"{4 * size**2 / 2**30:.1f} GiB, expected at most {config.max_items:,} items"
            )
        self.register_buffer("weights", torch.zeros(0, 0))
        if config.neighbours is not None:
            self.register_buffer("sources", torch.zeros(0, 0, dtype=torch.int64))

    def start(self) -> None:
        """No user has come yet."""
        size = self.schema.n_items + 1
        self._gram = torch.zeros(size, size, device=self.weights.device)

    def count(self, batch: Batch) -> None:
        """Counts the users of every pair of items; only the lower triangle is complete."""
        history, size = batch[self.sequence], self.schema.n_items + 1
        user, place = history.nonzero(as_tuple=True)
        likes = (user * size + history[user, place]).unique()
        user, item = likes // size, likes % size
        # Sorted by user and item: each event makes a pair with its user's events up to itself.
        first = torch.searchsorted(user, user)
        pairs = torch.arange(len(item), device=item.device) - first + 1
        if int(pairs.sum()) * PAIR_COST > len(history) * size**2:
            chosen = history.new_zeros(len(history), size, dtype=self._gram.dtype)
            chosen[user, item] = 1
            for low, high in edges(size, 512):
                self._gram[low:high, :high].addmm_(chosen[:, low:high].T, chosen[:, :high])
            return
        sizes = (pairs.cumsum(0) // PAIRS).unique_consecutive(return_counts=True)[1]
        for event in torch.arange(len(item), device=item.device).split(sizes.tolist()):
            count = pairs[event]
            one = event.repeat_interleave(count)
            back = torch.arange(len(one), device=one.device) - (count.cumsum(0) - count).repeat_interleave(
                count
            )
            cell = item[one] * size + item[first[one] + back]
            self._gram.view(-1).scatter_add_(0, cell, torch.ones_like(cell, dtype=self._gram.dtype))

    def finish(self) -> None:
        """Solves for the weights.

        Raises:
            UserError: `l2` is too small for the counts.
        """
        self._gram.diagonal().add_(self.config.l2)
        try:
            invert_(self._gram)
        except ValueError as error:
            raise UserError(f"{self.registry_name}: l2: {self.config.l2} is too small, {error}") from None
        blocks = [self._kept(*edge) for edge in edges(len(self._gram))]
        if self.config.neighbours is None:
            self.weights = torch.cat([weights for weights, _ in blocks], dim=1)
        else:
            self.weights, self.sources = (torch.cat(part) for part in zip(*blocks, strict=True))
        del self._gram

    def _kept(self, low: int, high: int) -> tuple[Tensor, Tensor]:
        """Weights for items `low:high`: all, `(n_items + 1, W)`, or `(W, K)` of the `(W, K)` items kept."""
        own = torch.arange(high - low, device=self._gram.device)
        weights = -block_column(self._gram, low, high) / self._gram.diagonal()[low:high]
        weights[low + own, own] = 0
        if self.config.neighbours is None:
            return weights, own
        kept = stable_topk(weights.T.abs(), self.config.neighbours)[1]
        return weights.T.gather(1, kept), kept

    def _scores(self, history: Tensor) -> Tensor:
        """`(B, n_items + 1)` from a history `(B, L)`, newest first; an item chosen again counts once."""
        history = without_repeats(history[:, : self.config.history_length])
        weight = recency(history, self.config.half_life)
        if self.config.neighbours is None:
            return F.embedding_bag(history, self.weights, mode="sum", per_sample_weights=weight)
        votes = weight.new_zeros(len(self.weights), len(history)).scatter_add_(0, history.T, weight.T)
        return F.embedding_bag(self.sources, votes, mode="sum", per_sample_weights=self.weights).T

    def search(self, request: Request, k: int) -> tuple[Tensor, Tensor]:
        """The best `k` of the items that the history speaks for."""
        scores, ids = stable_topk(self._scores(request.features[self.sequence]), k)
        return ids.masked_fill(scores <= 0, 0), scores

    def score(self, request: Request, ids: Tensor) -> Tensor:
        """`(B, K)`, 0 where the history says nothing, below 0 where it speaks against."""
        return self._scores(request.features[self.sequence]).gather(1, ids)


def edges(size: int, block: int = 1024) -> list[tuple[int, int]]:
    """Starts and ends of blocks of rows."""
    return [(low, min(low + block, size)) for low in range(0, size, block)]


def block_column(matrix: Tensor, low: int, high: int) -> Tensor:
    """`(n, W)` columns `low:high` of a symmetric matrix of which only the lower triangle is there."""
    own = matrix[low:high, low:high].tril()
    return torch.cat([matrix[low:high, :low].T, own + own.tril(-1).T, matrix[high:, low:high]])


def invert_(matrix: Tensor, block: int = 1024) -> None:
    """Inverts a positive definite matrix, of which the lower triangle is read and written, in its own memory.

    The sweep operator (Goodnight, The American Statistician 1979, https://doi.org/10.2307/2683825) on blocks:
    n³ floating-point operations, nearly all in matrix products, beside the matrix only a few block columns.

    Raises:
        ValueError: It is not positive definite.
    """
    for low, high in edges(len(matrix), block):
        column = block_column(matrix, low, high)
        lower, failed = torch.linalg.cholesky_ex(column[low:high])
        if failed:
            raise ValueError(f"the matrix is not positive definite at row {low + int(failed)}")
        pivot = torch.cholesky_inverse(lower)
        solved = column @ pivot
        for top, bottom in edges(len(matrix), block):
            matrix[top:bottom, :bottom].addmm_(solved[top:bottom], column[:bottom].T, alpha=-1)
        matrix[low:high, :low], matrix[high:, low:high] = solved[:low].T, solved[high:]
        matrix[low:high, low:high] = -pivot
    matrix.neg_()

"""A vector for every user and one for every item, whose inner product completes the matrix of interest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.errors import UserError, did_you_mean
from zoo.core.registry import register
from zoo.core.rows import Rows
from zoo.core.schema import Schema
from zoo.core.types import Batch, Request
from zoo.layers.embedding import id_table
from zoo.losses.pointwise import weighted_mean
from zoo.training import EmbeddingRetrieval


@dataclass(frozen=True)
class MatrixCompletionConfig(ModelConfig):
    """Options of `recall/matrix_completion`.

    Attributes:
        embed_dim: Of the vectors.
        behaviours: Those that add 1 each to an event's interest y; all tasks of the schema if empty.
        exposure: The behaviour that is a mere exposure, whose events without any other are y = 0. Without one
            the log has no zeros, and `n_zeros` are drawn.
        n_zeros: Items drawn uniformly for every batch and taken as y = 0 for all of its users.
        zero_weight: Of all drawn zeros of an event together; the event weighs 1.
        l2: Ridge of the fold-in of a new user's history.
        history_length: Newest events that a new user is folded in by.
    """

    embed_dim: int = 32
    behaviours: list[str] = field(default_factory=list)
    exposure: str = ""
    n_zeros: int = 100
    zero_weight: float = 1.0
    l2: float = 1.0
    history_length: int = 50

    def __post_init__(self) -> None:
        demand(
            (self.n_zeros >= 1, f"n_zeros must be at least 1, found {self.n_zeros}"),
            (self.zero_weight >= 0, f"zero_weight must not be negative, found {self.zero_weight}"),
            (self.l2 > 0, f"l2 must be above 0, found {self.l2}"),
        )


@register
class MatrixCompletion(EmbeddingRetrieval):
    """Squared error of the inner product of a user's and an item's vector, IDs only: the weak baseline.

    "Matrix Factorization Techniques for Recommender Systems" (Koren et al., IEEE Computer 2009,
    https://doi.org/10.1109/MC.2009.263), without biases. Unlike there, y is 0 for what was only shown, and 1
    more for each of click, like, collect and share. Where a log has no exposures, zeros are drawn.

    A new user is folded in: the ridge solution for the events of the history and, in place of drawn zeros,
    the whole catalogue. One without a history gets the mean of all users.

    Search is by cosine as in all embedding models. An item's vector gets one more coordinate that makes all
    of one length ("Speeding Up the Xbox Recommender System Using a Euclidean Transformation for
    Inner-Product Spaces", Bachrach et al., RecSys 2014), so that the order is that of inner products; the
    score is the inner product over the user's and the longest item's length, and `columns` has the inner
    product itself.
    """

    Config: ClassVar[type[ModelConfig]] = MatrixCompletionConfig
    longest: Tensor

    def __init__(self, schema: Schema, config: MatrixCompletionConfig) -> None:
        super().__init__(schema, config)
        self.config, self.history_length = config, config.history_length
        tasks = [task.name for task in schema.tasks]
        for name in config.behaviours:
            if name not in tasks:
                near = did_you_mean(name, tasks)
                raise UserError(f"recall/matrix_completion: behaviours: unknown task {name!r}{near}")
        self.behaviours = config.behaviours or tasks
        if config.exposure:
            schema.history(config.exposure)
        self.histories = [schema.history(name).name for name in self.behaviours]
        self.users = id_table(schema["user_id"].vocab, config.embed_dim, init_std=0.1)
        self.items = id_table(schema.n_items + 1, config.embed_dim, init_std=0.1)
        self.register_buffer("longest", torch.ones(()), persistent=False)
        self.register_buffer("gram", torch.zeros(config.embed_dim, config.embed_dim), persistent=False)

    def rows(self) -> Rows:
        """All that was shown, or all that was chosen and zeros drawn for the batch."""
        if self.config.exposure:
            return Rows(self.history_length, behaviour=self.config.exposure)
        return Rows(self.history_length, negatives="uniform", n_negatives=self.config.n_zeros)

    def loss(self, batch: Batch) -> Tensor:
        """Mean squared error of y, and of the zeros."""
        user, item = self.users(batch["user_id"]), self.items(batch["item_id"])
        interest = torch.stack([batch[f"label:{name}"].nan_to_num() for name in self.behaviours]).sum(0)
        loss = weighted_mean((interest - (user * item).sum(1)).square(), weight=batch.get("weight"))
        if "negative:item_id" not in batch:
            return loss
        zeros = batch["negative:item_id"]
        wrong = (user @ self.items(zeros).T).square()
        return loss + self.config.zero_weight * weighted_mean(wrong, zeros != batch["item_id"][:, None])

    def encode_user(self, batch: Batch) -> Tensor:
        """`(B, embed_dim + 1)`."""
        known = batch["user_id"] > 0
        vectors = self.users(batch["user_id"])
        if not known.all():
            vectors = vectors.where(known[:, None], self._folded_in(batch))
        return F.pad(vectors, (0, 1))

    def encode_item(self, batch: Batch) -> Tensor:
        """`(…, embed_dim + 1)`, all of the same length."""
        vectors = self.items(batch["item_id"])
        missing = (self.longest.square() - vectors.square().sum(-1, keepdim=True)).clamp(min=0).sqrt()
        return torch.cat([vectors, missing], dim=-1)

    def prepare(self, catalogue: Batch) -> None:
        """Measures the items, encodes them and builds the index."""
        items = self.items.weight.detach()[1:]
        self.longest, self.gram = items.norm(dim=1).max(), items.T @ items / len(items)
        super().prepare(catalogue)

    def columns(self, request: Request, ids: Tensor) -> Batch:
        """The score, and `interest`: the completed y."""
        score = self.score(request, ids)
        length = self.encode_user(request.features).norm(dim=1, keepdim=True)
        return {"score": score, "interest": score * length * self.longest}

    def _folded_in(self, batch: Batch) -> Tensor:
        """`(B, embed_dim)` from the histories alone."""
        events = [batch[name][:, : self.history_length] for name in self.histories]
        first = self.items(events[0])
        size = (events[0] > 0).sum(1)
        zeros = (size * self.config.zero_weight)[:, None, None] * self.gram
        ridge = self.config.l2 * torch.eye(first.shape[-1], device=first.device)
        normal = torch.einsum("bld,ble->bde", first, first) + zeros + ridge
        # An event is in the history of every behaviour that it counts as, so that it is there y times.
        right = torch.stack([self.items(history).sum(1) for history in events]).sum(0)
        vectors = torch.linalg.solve(normal, right)
        return vectors.where(size[:, None] > 0, self.users.weight[1:].mean(0))

"""Items whose vectors are near those of the history, whichever model made the vectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.errors import UserError
from zoo.core.registry import register
from zoo.core.schema import Feature, Schema
from zoo.core.topk import stable_topk
from zoo.core.types import Batch, Request
from zoo.index import create_index
from zoo.layers.content import content_vectors
from zoo.layers.history import recency
from zoo.training import CountingModel

BLOCK = 4096
"""Items searched for at once."""


@dataclass(frozen=True)
class VectorI2IConfig(ModelConfig):
    """Options of `recall/vector_i2i`.

    Attributes:
        behaviour: Events whose items are seeds.
        seeds: Newest events of a user that vote, the lastN.
        half_life: A seed votes half after this many newer ones; None for all the same.
        neighbours: Nearest items kept per item.
        index: Where they are searched, such as `exact` or `hnswlib`, by cosine.
        content: Item features that vectors are made of where no other model gives any; all if empty.
    """

    behaviour: str = "watch"
    seeds: int = 50
    half_life: float | None = None
    neighbours: int = 50
    index: str = "exact"
    content: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        demand(
            (self.seeds >= 1, f"seeds must be at least 1, found {self.seeds}"),
            (self.neighbours >= 1, f"neighbours must be at least 1, found {self.neighbours}"),
            (self.half_life is None or self.half_life > 0, "half_life must be above 0 or null"),
        )


@register
class VectorI2I(CountingModel):
    """Votes of the newest items for their nearest ones: `score(u, i) = Σ_j w_j · cos(v_j, v_i)`.

    The vectors come from the entry named by `of`, through `before_fit`, or are made of the items' own
    features. Nearest items are found once, when fitting, so a saved model needs neither vectors nor index.

    "Related Pins at Pinterest: The Evolution of a Real-World Recommender System" (Liu et al., WWW
    Companion 2017, https://doi.org/10.1145/3041021.3054202), where nearest items by learned vectors are one
    source of candidates. Unlike there, vectors of any model do, all newest items of a user ask instead of
    one, and no learned ranking follows.
    """

    Config: ClassVar[type[ModelConfig]] = VectorI2IConfig
    takes_vectors: ClassVar[bool] = True
    neighbours: Tensor
    similarities: Tensor

    def __init__(self, schema: Schema, config: VectorI2IConfig) -> None:
        super().__init__(schema, config)
        self.config = config
        self.sequence = schema.history(config.behaviour).name
        self.content: tuple[Feature, ...] = tuple(schema[name] for name in config.content)
        self._given: Tensor | None = None
        self.register_buffer("neighbours", torch.zeros(0, 0, dtype=torch.int64))
        self.register_buffer("similarities", torch.zeros(0, 0))

    def before_fit(self, catalogue: Batch, vectors: Tensor | None = None) -> None:
        """Takes the vectors, or makes some of the items' features.

        Raises:
            UserError: There are neither vectors nor features, or not a vector for each item.
        """
        size = self.schema.n_items + 1
        if vectors is None:
            vectors = content_vectors(self.content or self.schema.having("item"), catalogue)
        if len(vectors) != size:
            raise UserError(
                f"{self.registry_name}: found {len(vectors)} vectors, expected {size}, one an item"
            )
        self._given = vectors.detach().float()

    def start(self) -> None:
        """Nothing is counted."""

    def count(self, batch: Batch) -> None:
        """Nothing is counted: what is known of the items came before."""

    def finish(self) -> None:
        """Finds the nearest items of each.

        Raises:
            UserError: No vectors were given.
        """
        if self._given is None:
            if len(self.neighbours):
                return  # fitted already, before it was saved
            raise UserError(
                f"{self.registry_name} has no vectors: name an entry in `of`, or call before_fit first"
            )
        vectors = self._given.to(self.neighbours.device)
        index = create_index(self.config.index, metric="cosine")
        index.build(vectors[1:], torch.arange(1, len(vectors), device=vectors.device))
        width = self.config.neighbours + 1
        found = [index.search(part, width) for part in vectors[1:].split(BLOCK)]
        ids, near = (torch.cat(part) for part in zip(*found, strict=True))
        self._store(ids, near)

    def _store(self, ids: Tensor, near: Tensor) -> None:
        """Keeps what was found `(n_items, neighbours + 1)` without the item itself and what is opposite."""
        own = torch.arange(1, len(ids) + 1, device=ids.device)[:, None]
        near = near.masked_fill((ids == own) | (ids == 0), 0).clamp(min=0)
        # Behind the rest, so that it is the one to be cut off; padding has no neighbours.
        near, order = near.sort(dim=1, descending=True, stable=True)
        ids = ids.gather(1, order).masked_fill(near == 0, 0)
        padded = [
            torch.cat([x.new_zeros(1, x.shape[1]), x])[:, : self.config.neighbours] for x in (ids, near)
        ]
        self.neighbours, self.similarities = padded[0].contiguous(), padded[1].contiguous()

    def _scores(self, history: Tensor) -> Tensor:
        """`(B, n_items + 1)` from a history `(B, L)`, newest first."""
        history = history[:, : self.config.seeds]
        votes = self.similarities[history] * recency(history, self.config.half_life)[..., None]
        scores = votes.new_zeros(len(history), self.schema.n_items + 1)
        return scores.scatter_add_(1, self.neighbours[history].flatten(1), votes.flatten(1))

    def search(self, request: Request, k: int) -> tuple[Tensor, Tensor]:
        """The best `k` of the items near one in the history."""
        scores, ids = stable_topk(self._scores(request.features[self.sequence]), k)
        return ids.masked_fill(scores <= 0, 0), scores

    def score(self, request: Request, ids: Tensor) -> Tensor:
        """`(B, K)`, 0 where nothing in the history is near."""
        return self._scores(request.features[self.sequence]).gather(1, ids)

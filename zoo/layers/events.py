"""The events of a history as vectors: of the item, and of what is known of the event itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.core.errors import UserError
from zoo.core.schema import Feature, Schema
from zoo.core.types import Batch
from zoo.layers.embedding import FeatureEmbedding, id_table
from zoo.layers.history import history_sum, recency


class ItemVectors(nn.Module):
    """An embedding of an item's id, and of its features if they are asked for.

    Args:
        vocab: Items, padding counted.
        features: Item features that a linear layer adds to the id's embedding; read from the catalogue.
        dim: Of the vectors.
    """

    def __init__(self, vocab: int, features: Sequence[Feature], dim: int) -> None:
        super().__init__()
        self.table = id_table(vocab, dim)
        self.names = [feature.name for feature in features]
        self._catalogue: Batch = {}
        if features:
            self.features = FeatureEmbedding(features, dim)
            self.project = nn.Linear(self.features.dim, dim, bias=False)

    def attach(self, catalogue: Batch) -> None:
        """Keeps the features of all items, `(n_items + 1, …)`."""
        self._catalogue = {name: catalogue[name] for name in self.names}

    def forward(self, ids: Tensor) -> Tensor:
        """`(…, dim)` of items `(…)`; zero for padding."""
        if not self.names:
            return self.table(ids)
        if not self._catalogue:
            raise UserError("the item features of a history are in the catalogue: call prepare first")
        rows = {name: values.to(ids.device)[ids] for name, values in self._catalogue.items()}
        return self.table(ids) + self.project(self.features(rows)) * (ids > 0)[..., None]


class Events(nn.Module):
    """The events of one behaviour: the vector of the item, to which those of the event's features are added.

    Args:
        schema: Names the history, and the features of its events.
        behaviour: Whose events.
        dim: Of the vectors.
        length: Newest events used.
        use_features: Whether what is known of each event counts.
    """

    def __init__(
        self,
        schema: Schema,
        behaviour: str,
        dim: int,
        length: int,
        use_features: bool = True,
    ) -> None:
        super().__init__()
        self.name, self.length = schema.history(behaviour).name, length
        features = [f for f in schema.having("event") if f.of == behaviour and use_features]
        self.feature_names = [feature.name for feature in features]
        if features:
            self.features = FeatureEmbedding(features, dim)
            self.project = nn.Linear(self.features.dim, dim, bias=False)

    def ids(self, batch: Batch) -> Tensor:
        """`(B, L)` items of the newest events, without columns that are padding in all rows."""
        history = batch[self.name][:, : self.length]
        # Rows are padded to the longest that a schema allows, most often by far too much.
        return history[:, : max(1, int((history > 0).any(0).sum()))]

    def forward(self, batch: Batch, items: ItemVectors, ids: Tensor, place: Tensor | None = None) -> Tensor:
        """`(B, …, dim)` of events, zero for padding.

        Args:
            batch: With the features of the events, `(B, length)`.
            items: Makes the vectors of items, the same for all behaviours and for candidates.
            ids: `(B, L)` of all events, or `(B, K, k)` of those at `place`.
            place: `(B, K, k)`, -1 for none; by default the first L.
        """
        vectors = items(ids)
        if not self.feature_names:
            return vectors
        known = {name: self._at(batch[name], ids, place) for name in self.feature_names}
        return vectors + self.project(self.features(known)) * (ids > 0)[..., None]

    def mean(self, batch: Batch, items: ItemVectors, half_life: float | None) -> Tensor:
        """`(B, dim)` mean of the events, weighted by recency; zero for an empty history."""
        ids = self.ids(batch)
        weight = recency(ids, half_life)
        weight = weight / weight.sum(1, keepdim=True).clamp(min=1e-9)
        if not self.feature_names and not items.names:
            return history_sum(items.table, ids, weight)
        return (weight[:, None] @ self(batch, items, ids)).squeeze(1)

    @staticmethod
    def _at(values: Tensor, ids: Tensor, place: Tensor | None) -> Tensor:
        return values[:, : ids.shape[1]] if place is None else taken(values, place)


def taken(values: Tensor, place: Tensor) -> Tensor:
    """`(B, K, k)` of `values` `(B, L)` at `place`, 0 where that is -1."""
    found = values.gather(1, place.clamp(min=0).flatten(1)).view(place.shape)
    return torch.where(place < 0, torch.zeros((), dtype=values.dtype, device=values.device), found)

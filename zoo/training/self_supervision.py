"""Self-supervision of an item encoder: what items are like, learned from the catalogue, without any user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.core.config import demand
from zoo.core.errors import UserError
from zoo.core.schema import Feature
from zoo.core.types import Batch
from zoo.layers import augment
from zoo.losses.contrastive import contrastive

Transform = Literal["random_mask", "dropout", "complement", "related"]


@dataclass(frozen=True)
class SelfSupervisionConfig:
    """Options of self-supervision.

    Attributes:
        weight: Of its loss beside that of the clicks, the paper's alpha.
        transforms: How two views of an item are made, one after another: `random_mask` hides features at
            random, `dropout` half the values of multi-valued ones; `complement` hides half the features in
            either view, `related` a feature and those that tell most of it in one, all others in the other.
        batch_size: Items drawn uniformly from the catalogue for every step.
        temperature: Divides the cosine.
        mask_rate: Share of the features that `random_mask` hides.
    """

    weight: float = 0.1
    transforms: list[Transform] = field(default_factory=lambda: ["related", "dropout"])
    batch_size: int = 512
    temperature: float = 0.1
    mask_rate: float = 0.5

    def __post_init__(self) -> None:
        demand(
            (self.weight > 0, f"weight must be above 0, found {self.weight}"),
            (len(self.transforms) > 0, "transforms must name at least one"),
            (
                not {"complement", "related"} <= set(self.transforms),
                "transforms must not split the features twice, by complement and by related: nothing is left",
            ),
            (self.batch_size >= 2, f"batch_size must be at least 2, found {self.batch_size}"),
            (self.temperature > 0, f"temperature must be above 0, found {self.temperature}"),
            (0 < self.mask_rate < 1, f"mask_rate must be between 0 and 1, found {self.mask_rate}"),
        )


class SelfSupervision(nn.Module):
    """The contrastive loss of Yao et al. (CIKM 2021, https://arxiv.org/abs/2007.12865) on sampled items.

    Args:
        features: All that the item encoder reads, the ID among them.
        config: Its options.

    Raises:
        UserError: A transform has nothing to work on.
    """

    information: Tensor

    def __init__(self, features: Sequence[Feature], config: SelfSupervisionConfig) -> None:
        super().__init__()
        self.features, self.config = tuple(features), config
        self.catalogue: Batch = {}
        self.register_buffer("information", torch.zeros(len(features), len(features)))
        if {"complement", "related"} & set(config.transforms) and len(features) < 2:
            raise UserError(f"self-supervision: {config.transforms} need an item feature besides the ID")
        if config.transforms == ["dropout"] and not any(f.kind == "multi" for f in features):
            raise UserError("self-supervision: dropout needs a multi-valued item feature, there is none")

    def attach(self, catalogue: Batch) -> None:
        """Takes the items `(n_items + 1, …)` to draw from; the first tell how related features are."""
        self.catalogue = {feature.name: catalogue[feature.name] for feature in self.features}
        # Once: an update must not weigh the features anew.
        if "related" in self.config.transforms and not self.information.any():
            self.information.copy_(augment.mutual_information(self.catalogue, self.features))

    def forward(self, encode: Callable[[Batch], Tensor]) -> Tensor:
        """The weighted loss of freshly drawn items.

        Args:
            encode: The item encoder, `(N, D)` from features `(N, …)`.

        Raises:
            UserError: No catalogue was attached.
        """
        if not self.catalogue:
            raise UserError(
                "self-supervision draws from all items: fit with a ViewData, or attach_catalogue first"
            )
        count = len(self.catalogue["item_id"])
        ids = torch.randint(1, count, (self.config.batch_size,))
        items = {name: values[ids].to(self.information.device) for name, values in self.catalogue.items()}
        first, second = self.views(items)
        return self.config.weight * contrastive(
            encode(first), encode(second), items["item_id"], self.config.temperature
        )

    def views(self, items: Batch) -> augment.Views:
        """Two views of items `(N, …)`, by all transforms in their order."""
        views = (items, items)
        for name in self.config.transforms:
            if name == "random_mask":
                views = augment.random_mask(views, self.features, self.config.mask_rate)
            elif name == "dropout":
                views = augment.dropout(views, self.features)
            elif name == "complement":
                views = augment.complement(views, self.features)
            else:
                views = augment.related(views, self.features, self.information)
        return views

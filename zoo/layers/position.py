"""What the place of an item in its list does to a label, beside what the item does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from zoo.core.config import demand
from zoo.core.errors import UserError, did_you_mean
from zoo.core.schema import Feature, Schema
from zoo.core.types import Batch
from zoo.layers.embedding import FeatureEmbedding
from zoo.layers.inputs import per_candidate
from zoo.layers.mlp import MLP


@dataclass(frozen=True)
class PositionConfig:
    """A shallow tower on how an item was shown, there in training only.

    Attributes:
        feature: A column of how items were shown; the rest of the model never sees it.
        context: Features of the request that the tower sees too, such as the device.
        embed_dim: Of every embedding.
        hidden: Widths of the tower.
        dropout: Share of the candidates whose position is hidden from the tower.
    """

    feature: str = "position"
    context: list[str] = field(default_factory=list)
    embed_dim: int = 8
    hidden: list[int] = field(default_factory=lambda: [16])
    dropout: float = 0.1

    def __post_init__(self) -> None:
        demand((0 <= self.dropout < 1, f"dropout must be in [0, 1), found {self.dropout}"))


class PositionTower(nn.Module):
    """`(B, K)` by task: a logit that is added in training and dropped at inference.

    "Recommending What Video to Watch Next: A Multitask Ranking System" (Zhao et al., RecSys 2019,
    https://doi.org/10.1145/3298689.3346997). What is left at inference is the logit without any bias, so
    that order means more than calibration.

    Raises:
        UserError: The schema has no such column, or a feature of the context is not of the request.
    """

    def __init__(self, schema: Schema, config: PositionConfig, tasks: Sequence[str]) -> None:
        super().__init__()
        self.feature, self.dropout, self.tasks = shown_column(schema, config.feature), config.dropout, tasks
        context = [schema[name] for name in config.context]
        for feature in context:
            if feature.role not in ("user", "context"):
                found = f"{feature.name!r} is of role {feature.role}"
                raise UserError(f"position.context: {found}, expected one of role user or context")
        self.position = FeatureEmbedding([self.feature], config.embed_dim)
        self.context = FeatureEmbedding(context, config.embed_dim) if context else None
        dim = self.position.dim + (self.context.dim if self.context else 0)
        self.mlp = MLP(dim, config.hidden, out=len(tasks))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """`(B, K)` by task."""
        position = batch[self.feature.name]
        if self.training and self.dropout:
            hidden = torch.rand(position.shape, device=position.device) < self.dropout
            unknown = self.feature.mean if self.feature.kind == "numeric" else 0
            batch = batch | {self.feature.name: position.masked_fill(hidden, unknown)}
        x = self.position(batch)
        if self.context:
            x = per_candidate(self.context(batch), x)
        return dict(zip(self.tasks, self.mlp(x).unbind(-1), strict=True))


def shown_column(schema: Schema, name: str) -> Feature:
    """The feature of this name; raises `UserError` if it is no column of how items were shown."""
    shown = {feature.name: feature for feature in schema.having("column") if feature.of == "shown"}
    if name not in shown:
        has = ", ".join(shown) or "none"
        near = did_you_mean(name, shown)
        raise UserError(
            f"position.feature: no column {name!r} of how items were shown{near}; the dataset has {has}"
        )
    return shown[name]

"""Features to vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.core.errors import UserError
from zoo.core.schema import Feature
from zoo.core.types import Batch

CLIP = 5.0
"""Standardised numbers are clipped here, so that one odd value cannot drown the rest."""


class FeatureEmbedding(nn.Module):
    """Concatenates the vectors of features: embeddings of ids, standardised numbers as they are.

    Id 0 (unknown or padding) is the zero vector; a multi feature is the mean of its values.

    Args:
        features: Categorical, multi and numeric ones, with the same leading dimensions in a batch.
        embed_dim: Of every embedding.
        init_std: Of the embeddings' normal initialisation.

    Attributes:
        dim: Width of the output.

    Raises:
        UserError: There is no feature.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: Sequence[Feature], embed_dim: int, init_std: float = 0.01) -> None:
        super().__init__()
        if not features:
            raise UserError("no feature is left to embed; does `without` name too many?")
        ids = [feature for feature in features if feature.kind in ("categorical", "multi")]
        numbers = [feature for feature in features if feature.kind == "numeric"]
        self.ids = [feature.name for feature in ids]
        self.multi = {feature.name for feature in ids if feature.kind == "multi"}
        self.numeric = [feature.name for feature in numbers]
        self.tables = nn.ModuleDict({_key(f.name): id_table(f.vocab, embed_dim, init_std) for f in ids})
        self.register_buffer("mean", torch.tensor([f.mean for f in numbers]), persistent=False)
        self.register_buffer("std", torch.tensor([f.std for f in numbers]), persistent=False)
        self.dim = embed_dim * len(ids) + len(numbers)

    @property
    def by_feature(self) -> dict[str, nn.Embedding]:
        """The table of each feature that has one."""
        return dict(zip(self.ids, self.tables.values(), strict=True))  # type: ignore[arg-type]

    def forward(self, batch: Batch) -> Tensor:
        """`(…, dim)` for features `(…)`, multi ones `(…, length)`."""
        parts = [
            masked_mean(table(batch[name]), batch[name] > 0) if name in self.multi else table(batch[name])
            for name, table in zip(self.ids, self.tables.values(), strict=True)
        ]
        if self.numeric:
            numbers = torch.stack([batch[name] for name in self.numeric], dim=-1)
            parts.append(((numbers - self.mean) / self.std).clamp(-CLIP, CLIP))
        return torch.cat(parts, dim=-1)


def id_table(vocab: int, embed_dim: int, init_std: float = 0.01) -> nn.Embedding:
    """An embedding table whose row 0 is zero and stays so."""
    table = nn.Embedding(vocab, embed_dim, padding_idx=0)
    nn.init.normal_(table.weight, std=init_std)
    with torch.no_grad():
        table.weight[0] = 0
    return table


def _key(name: str) -> str:
    """A feature's name as `nn.ModuleDict` takes it: without dots, and none of its own attributes' names."""
    return f"feature:{name.replace('.', ':')}" if "." in name or hasattr(nn.ModuleDict(), name) else name


def masked_mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """`(…, D)` mean of `vectors` `(…, L, D)` where `mask` `(…, L)`; zero where nothing is."""
    weight = mask.to(vectors.dtype)
    return (vectors * weight[..., None]).sum(-2) / weight.sum(-1, keepdim=True).clamp(min=1)

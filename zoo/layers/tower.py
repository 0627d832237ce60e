"""The towers of embedding models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn

from zoo.layers.cross import CrossNetV2
from zoo.layers.mlp import MLP

TowerKind = Literal["mlp", "dcn", "linear"]


def tower(
    kind: TowerKind, dim: int, hidden: Sequence[int], dropout: float, out: int, num_layers: int = 2
) -> nn.Module:
    """From `(…, dim)` to `(…, out)`.

    Args:
        kind: `mlp`; `dcn` for crosses of the input before the same MLP, the stacked form of DCN V2; or
            `linear` for a matrix alone, without hidden layers or a constant that all vectors share.
        dim: Width of the input.
        hidden: Widths of the MLP's hidden layers; none for a linear layer.
        dropout: In the MLP.
        out: Width of the output.
        num_layers: Crosses.
    """
    if kind == "linear":
        return nn.Linear(dim, out, bias=False)
    mlp = MLP(dim, hidden, dropout, out)
    return mlp if kind == "mlp" else nn.Sequential(CrossNetV2(dim, num_layers), mlp)

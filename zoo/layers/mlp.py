"""Fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


class MLP(nn.Sequential):
    """Linear, ReLU and dropout for every hidden width, then a linear layer to `out` if given.

    Attributes:
        dim: Width of the output.
    """

    def __init__(self, dim: int, hidden: Sequence[int], dropout: float = 0.0, out: int | None = None) -> None:
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(dim, width), nn.ReLU(), nn.Dropout(dropout)]
            dim = width
        if out is not None:
            layers.append(nn.Linear(dim, out))
            dim = out
        super().__init__(*layers)
        self.dim = dim

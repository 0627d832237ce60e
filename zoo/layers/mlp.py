"""Fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class MLP(nn.Sequential):
    """Linear, ReLU and dropout for every hidden width, then a linear layer to `out` if given.

    Attributes:
        dim: Width of the output.
    """

    def __init__(self, dim: int, hidden: Sequence[int], dropout: float = 0.0, out: int | None = None) -> None:
        layers: list[nn.Module] = []
        for width in hidden:
            # In place: a linear layer does not need its output to go back, and new memory is slow.
            layers += [nn.Linear(dim, width), nn.ReLU(inplace=True), nn.Dropout(dropout)]
            dim = width
        if out is not None:
            layers.append(nn.Linear(dim, out))
            dim = out
        super().__init__(*layers)
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """`(…, dim)` for `(…, dim of the input)`."""
        # As a matrix: of more dimensions a linear layer gives a view, to which in place is a copy more.
        rows = x.reshape(-1, x.shape[-1])
        for layer in self:
            rows = layer(rows)
        return rows.view(*x.shape[:-1], self.dim)

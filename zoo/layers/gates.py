"""A network whose hidden units somebody else turns up and down."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from zoo.layers.mlp import MLP


class Gates(nn.Module):
    """`2·sigmoid(MLP(x))` for every unit of some layers, so between 0 and 2, and about 1 at first.

    Args:
        dim: Width of the input.
        hidden: Widths of the MLP.
        widths: Of the layers.
    """

    def __init__(self, dim: int, hidden: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.mlp, self.widths = MLP(dim, hidden, out=sum(widths)), list(widths)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """`(…, width)` for every layer, for `(…, dim)`."""
        return (2 * self.mlp(x).sigmoid()).split(self.widths, dim=-1)


class GatedMLP(nn.Module):
    """Linear, ReLU, gate and dropout for every hidden width.

    Args:
        dim: Width of the input.
        hidden: Widths.
        dropout: Behind every gate.

    Attributes:
        dim: Width of the output.
    """

    def __init__(self, dim: int, hidden: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        dims = [dim, *hidden]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in zip(dims[:-1], hidden, strict=True))
        self.dropout, self.dim = nn.Dropout(dropout), dims[-1]

    def forward(self, x: Tensor, gates: Sequence[Tensor]) -> Tensor:
        """`(…, dim)` for `(…, dim)` and one gate a layer that can be broadcast to its output."""
        for layer, gate in zip(self.layers, gates, strict=True):
            x = self.dropout(layer(x).relu() * gate)
        return x

"""Experts, and the gates that weigh them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.layers.mlp import MLP


class Experts(nn.ModuleList):
    """`(…, E, hidden[-1])` for `(…, dim)`: MLPs side by side.

    Args:
        number: E.
        dim: Width of the input.
        hidden: Widths of every MLP.
        dropout: In them.
    """

    def __init__(self, number: int, dim: int, hidden: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__(MLP(dim, hidden, dropout) for _ in range(number))

    def forward(self, x: Tensor) -> Tensor:
        """What every expert says."""
        return torch.stack([expert(x) for expert in self], dim=-2)


class Gate(nn.Module):
    """`(…, E)` weights of experts, which sum to 1 in training too.

    Args:
        dim: Width of the input.
        experts: Number of experts.
        dropout: Share of the weights that is 0 in training; where all would be, none is.
    """

    def __init__(self, dim: int, experts: int, dropout: float) -> None:
        super().__init__()
        self.linear, self.dropout = nn.Linear(dim, experts), dropout

    def forward(self, x: Tensor) -> Tensor:
        """The weights for `(…, dim)`."""
        logits = self.linear(x)
        if self.training and self.dropout:
            drop = torch.rand_like(logits) < self.dropout
            # Before the softmax: of a polarised gate, the weights that are left may all have become 0.
            logits = logits.masked_fill(drop & ~drop.all(-1, keepdim=True), -torch.inf)
        return logits.softmax(-1)


def mixed(weights: Tensor, experts: Tensor) -> Tensor:
    """`(…, W)` mean of experts `(…, E, W)` by weights `(…, E)`."""
    return (weights[..., None, :] @ experts).squeeze(-2)

"""Explicit feature crosses."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CrossNet(nn.Module):
    """`x_{l+1} = x_0 (x_lᵀ w_l) + b_l + x_l`, the cross network of DCN (Wang et al., ADKDD 2017).

    Args:
        dim: Width of the input and output.
        num_layers: Number of crosses, so polynomials up to degree `num_layers + 1`.
    """

    def __init__(self, dim: int, num_layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(num_layers, dim) * dim**-0.5)
        self.biases = nn.Parameter(torch.zeros(num_layers, dim))

    def forward(self, x0: Tensor) -> Tensor:
        """`(…, dim)` for `(…, dim)`."""
        x = x0
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = x0 * (x @ weight)[..., None] + bias + x
        return x


class CrossNetV2(nn.Module):
    """`x_{l+1} = x_0 ∘ (W_l x_l + b_l) + x_l`, the cross network of DCN V2 (Wang et al., WWW 2021).

    Args:
        dim: Width of the input and output.
        num_layers: Number of crosses, so polynomials up to degree `num_layers + 1`.
    """

    def __init__(self, dim: int, num_layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(num_layers))

    def forward(self, x0: Tensor) -> Tensor:
        """`(…, dim)` for `(…, dim)`."""
        x = x0
        for layer in self.layers:
            x = torch.addcmul(x, x0, layer(x))
        return x

"""Crosses and MLPs against numpy."""

from __future__ import annotations

import numpy as np
import torch

from tests import naive
from zoo.layers.cross import CrossNet, CrossNetV2
from zoo.layers.mlp import MLP


def test_crosses_equal_the_papers_formula() -> None:
    layer, x0 = CrossNetV2(4, 3), torch.randn(5, 2, 4)
    x = x0.numpy()
    for linear in layer.layers:
        w, b = linear.weight.detach().numpy(), linear.bias.detach().numpy()
        x = np.stack([[x0[i, k].numpy() * (w @ x[i, k] + b) + x[i, k] for k in range(2)] for i in range(5)])
    assert np.allclose(layer(x0).detach().numpy(), x, atol=1e-5)


def test_crosses_along_a_vector_equal_the_papers_formula() -> None:
    layer, x0 = CrossNet(4, 3), torch.randn(5, 2, 4)
    naive.spread(layer)
    for row, place in np.ndindex(5, 2):
        x = start = naive.array(x0[row, place])
        for w, b in zip(naive.array(layer.weights), naive.array(layer.biases), strict=True):
            x = np.outer(start, x) @ w + b + x
        assert np.allclose(naive.array(layer(x0)[row, place]), x, atol=1e-4)


def test_crosses_of_degree_1_are_the_input() -> None:
    x = torch.randn(3, 4)
    assert CrossNetV2(4, 0)(x).equal(x) and CrossNet(4, 0)(x).equal(x)


def test_an_mlp_is_linear_relu_linear() -> None:
    mlp, x = MLP(4, [6, 3], dropout=0.5, out=2).eval(), torch.randn(7, 4)
    h = x.numpy()
    linears = [module for module in mlp if isinstance(module, torch.nn.Linear)]
    for number, linear in enumerate(linears):
        h = h @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
        h = np.maximum(h, 0) if number < 2 else h
    assert np.allclose(mlp(x).detach().numpy(), h, atol=1e-5) and mlp.dim == 2
    assert MLP(4, [6, 3]).dim == 3 and MLP(4, []).dim == 4

"""SENet and bilinear interactions, field by field and pair by pair."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from tests import naive
from zoo.layers.bilinear import Bilinear, Product, SENet, Sharing

DIM, PLACES = 3, 4


def levels(of_request: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(size)
    request = torch.randn(2, of_request, DIM, generator=draw)
    return request, torch.randn(2, PLACES, size - of_request, DIM, generator=draw)


@pytest.mark.parametrize("sharing", ["all", "each", "interaction"])
@pytest.mark.parametrize("product", ["hadamard", "inner"])
@pytest.mark.parametrize("of_request", [0, 1, 2, 3])
def test_every_pair_goes_through_its_matrix(sharing: Sharing, product: Product, of_request: int) -> None:
    layer = Bilinear(4, DIM, sharing, product)
    request, candidate = levels(of_request, 4)
    found, weight = naive.array(layer(request, candidate)), naive.array(layer.weight)
    assert found.shape == (2, PLACES, layer.dim)
    assert len(weight) == {"all": 1, "each": 3, "interaction": 6}[sharing]
    for row, place in np.ndindex(2, PLACES):
        x = [*naive.array(request[row]), *naive.array(candidate[row, place])]
        expected = []
        for number, (i, j) in enumerate(combinations(range(4), 2)):
            w = weight[{"all": 0, "each": i, "interaction": number}[sharing]]
            expected.append((w @ x[i]) * x[j] if product == "hadamard" else x[j] @ w @ x[i])
        assert np.allclose(found[row, place], np.hstack(expected), atol=1e-5)


@pytest.mark.parametrize("of_request", [0, 2])
def test_senet_squeezes_excites_and_weighs(of_request: int) -> None:
    layer = SENet(6, reduction=3)
    naive.spread(layer)
    request, candidate = levels(of_request, 6)
    found = naive.array(layer(request, candidate))
    first, second = naive.array(layer.squeeze.weight), naive.array(layer.excite.weight)
    assert first.shape == (2, 6)
    for row, place in np.ndindex(2, PLACES):
        x = np.array([*naive.array(request[row]), *naive.array(candidate[row, place])])
        weights = np.maximum(second @ np.maximum(first @ x.mean(1), 0), 0)
        assert np.allclose(found[row, place], weights[:, None] * x, atol=1e-5)
    assert SENet(2, reduction=3).squeeze.out_features == 1

"""Gates and what they gate, against numpy."""

from __future__ import annotations

import numpy as np
import torch

from tests import naive
from zoo.layers.gates import GatedMLP, Gates


def test_every_layer_is_multiplied_by_its_gates() -> None:
    gates, network = Gates(3, [5], [4, 2]), GatedMLP(6, [4, 2], dropout=0.5).eval()
    naive.spread(gates)
    naive.spread(network)
    of, x = torch.randn(2, 3), torch.randn(2, 7, 6)
    found = network(x, [gate[:, None] for gate in gates(of)])
    assert found.shape == (2, 7, network.dim)
    for row, place in np.ndindex(2, 7):
        expected = naive.gated(network, gates, naive.array(x[row, place]), naive.array(of[row]))
        assert np.allclose(naive.array(found[row, place]), expected, atol=1e-5)


def test_gates_are_between_0_and_2_and_1_for_nothing() -> None:
    gates = Gates(3, [], [4, 2])
    torch.nn.init.zeros_(gates.mlp[0].bias)
    assert all(gate.equal(torch.ones_like(gate)) for gate in gates(torch.zeros(5, 3)))
    extreme = torch.cat(gates(torch.randn(5, 3) * 100), dim=-1)
    assert extreme.min() >= 0 and extreme.max() <= 2 and extreme.max() > 1.9

"""Gates with dropout: shares, sums, and gates that have polarised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from zoo.layers.experts import Gate, mixed


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.floats(0, 0.99), st.floats(0, 300), st.integers(0, 99))
def test_weights_sum_to_1_and_what_is_left_keeps_its_ratios(
    experts: int, dropout: float, scale: float, seed: int
) -> None:
    torch.manual_seed(seed)
    gate, x = Gate(3, experts, dropout), torch.randn(50, 3) * scale
    full = gate.linear(x).detach().double().numpy()
    weights = gate.train()(x)
    (weights.sum()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in gate.parameters())
    found = weights.detach().numpy()
    assert np.allclose(found.sum(1), 1, atol=1e-5)
    # A weight of 0 was dropped, or is one that rounds to it.
    kept = softmax(np.where(found > 0, full, -np.inf), axis=1)
    assert np.allclose(found, kept, atol=1e-4)
    assert np.allclose(gate.eval()(x).detach().numpy(), softmax(full, axis=1), atol=1e-4)


def test_so_many_are_dropped_as_asked_for_and_never_all() -> None:
    torch.manual_seed(0)
    found = Gate(3, 4, dropout=0.1).train()(torch.randn(20_000, 3))
    share = (found == 0).float().mean().item()
    # All four would be dropped once in 10,000, which leaves all four.
    assert share == pytest.approx(0.1 - 1e-4, abs=0.004)
    half = Gate(3, 2, dropout=0.5).train()(torch.randn(20_000, 3))
    assert ((half == 0).sum(1) < 2).all()
    assert (half == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)


def test_a_mixture_is_a_weighted_mean() -> None:
    weights, experts = torch.rand(2, 3, 4), torch.randn(2, 3, 4, 5)
    expected = np.einsum("bke,bked->bkd", weights.numpy(), experts.numpy())
    assert np.allclose(mixed(weights, experts).numpy(), expected, atol=1e-5)

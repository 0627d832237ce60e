"""Masked cross-entropy against sklearn and its edge cases."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import log_loss

from zoo.losses import masked_bce


def test_equals_sklearn_on_the_entries_that_count() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    labels, mask = (torch.rand(20, 3, generator=generator) < 0.5 for _ in range(2))
    weight = torch.rand(20, 3, generator=generator)
    y, p, w = labels[mask], logits[mask].sigmoid(), weight[mask]
    assert masked_bce(logits, labels, mask).item() == pytest.approx(log_loss(y, p))
    assert masked_bce(logits, labels, mask, weight).item() == pytest.approx(log_loss(y, p, sample_weight=w))
    everything = log_loss(labels.flatten(), logits.sigmoid().flatten())
    assert masked_bce(logits, labels).item() == pytest.approx(everything)


@pytest.mark.parametrize("masked", [torch.nan, torch.inf, -1e9])
def test_masked_entries_reach_neither_loss_nor_gradient(masked: float) -> None:
    mask = torch.tensor([True, False])
    logits = torch.tensor([0.3, masked], requires_grad=True)
    loss = masked_bce(logits, torch.tensor([1.0, masked]), mask, torch.tensor([1.0, masked]))
    loss.backward()
    assert loss.item() == pytest.approx(torch.tensor(0.3).sigmoid().log().neg().item())
    assert logits.grad is not None and logits.grad[1] == 0 and logits.grad.isfinite().all()


def test_nothing_to_count_is_zero_with_zero_gradients() -> None:
    for mask in (torch.zeros(3, dtype=torch.bool), None):
        logits = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        loss = masked_bce(logits, torch.ones(3), mask, torch.zeros(3))
        loss.backward()
        assert loss.item() == 0 and logits.grad is not None and logits.grad.tolist() == [0, 0, 0]


def test_huge_logits_stay_finite() -> None:
    loss = masked_bce(torch.tensor([1e4, -1e4]), torch.tensor([0.0, 0.0]))
    assert loss.item() == pytest.approx(5e3)

"""Calibration against hand-worked values and a naive loop over bins."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zoo.metrics import ECE, PCOC
from zoo.metrics import functional as fn


def sample() -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    probabilities = rng.beta(1, 6, 1500)
    return torch.from_numpy(probabilities), torch.from_numpy(rng.random(1500) < probabilities**1.3)


def test_pcoc_worked_by_hand() -> None:
    labels = torch.tensor([1, 0, 0, 1])
    assert fn.pcoc(torch.tensor([0.9, 0.3, 0.2, 0.6]), labels).item() == pytest.approx(1.0)
    assert fn.pcoc(torch.tensor([0.9, 0.9, 0.6, 0.6]), labels).item() == pytest.approx(1.5)
    assert fn.pcoc(torch.tensor([0.5]), torch.tensor([0])).isnan()


def test_ece_worked_by_hand() -> None:
    probabilities = torch.tensor([0.1, 0.2, 0.7, 0.9])
    labels = torch.tensor([0, 1, 1, 0])
    # Two bins of two: |0.3 - 1| and |1.6 - 1|.
    assert fn.ece(probabilities, labels, bins=2).item() == pytest.approx((0.7 + 0.6) / 4)
    assert fn.ece(torch.zeros(0), torch.zeros(0)).isnan()


def test_ece_equals_a_loop_over_equally_filled_bins() -> None:
    probabilities, labels = sample()
    order = np.argsort(probabilities.numpy())
    bins = np.split(order, 15)
    gaps = [abs(probabilities[part].mean() - labels[part].double().mean()) for part in bins]
    assert fn.ece(probabilities, labels).item() == pytest.approx(np.mean(gaps))


def test_ece_of_a_constant_prediction_does_not_depend_on_the_order() -> None:
    labels = torch.tensor([1] * 30 + [0] * 70)
    for ordered in (labels, labels.flip(0)):
        assert fn.ece(torch.full((100,), 0.25), ordered).item() == pytest.approx(0.05)


def test_classes_do_not_depend_on_the_batches() -> None:
    probabilities, labels = sample()
    for metric, expected in (
        (ECE(), fn.ece(probabilities, labels)),
        (PCOC(), fn.pcoc(probabilities, labels)),
    ):
        metric.update(probabilities[:100], labels[:100])
        metric.update(probabilities[100:], labels[100:])
        torch.testing.assert_close(metric.compute(), expected)

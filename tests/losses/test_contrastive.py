"""The contrastive loss against a loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zoo.losses.contrastive import contrastive


def test_the_loss_is_that_of_a_loop() -> None:
    first, second = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0)).unbind(0)
    ids = torch.tensor([3, 1, 3, 2, 4, 1])
    losses = []
    for i in range(6):
        cosines = [
            float(first[i] @ second[j] / first[i].norm() / second[j].norm())
            for j in range(6)
            if i == j or ids[i] != ids[j]
        ]
        own = float(first[i] @ second[i] / first[i].norm() / second[i].norm())
        losses.append(-np.log(np.exp(own / 0.3) / np.exp(np.array(cosines) / 0.3).sum()))
    assert contrastive(first, second, ids, 0.3).item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_like_views_of_unlike_things_cost_little() -> None:
    eye = torch.eye(4)
    assert contrastive(eye, 5 * eye, torch.arange(4), 0.01).item() == pytest.approx(0, abs=1e-6)
    assert contrastive(eye, torch.ones(4, 4), torch.arange(4)).item() == pytest.approx(np.log(4))

"""Softmax over candidates against numpy and sklearn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.metrics import log_loss

from zoo.losses.listwise import softmax_listwise


def naive(scores: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> float:
    losses = []
    for s, y, m in zip(scores, labels, mask, strict=True):
        if m.any() and y[m].sum() > 0:
            losses.append(-(log_softmax(s[m]) * y[m] / y[m].sum()).sum())
    return float(np.mean(losses)) if losses else 0.0


@pytest.mark.parametrize("soft", [False, True])
def test_equals_a_loop(soft: bool) -> None:
    draw = np.random.default_rng(0)
    scores, mask = draw.normal(size=(30, 6)), draw.random((30, 6)) < 0.7
    labels = draw.random((30, 6)) * 0.3 if soft else (draw.random((30, 6)) < 0.3).astype(float)
    mask[0] = False
    found = softmax_listwise(*map(torch.from_numpy, (scores, labels, mask)))
    assert found.item() == pytest.approx(naive(scores, labels, mask))


def test_one_positive_is_the_log_loss_of_a_choice() -> None:
    scores = torch.tensor([[0.3, -1.0, 2.0], [1.0, 1.0, 0.0]], dtype=torch.float64)
    labels = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    expected = log_loss([1, 0], scores.softmax(1).numpy(), labels=[0, 1, 2])
    assert softmax_listwise(scores, labels, labels > -1).item() == pytest.approx(expected)


def test_padding_and_requests_without_positive_are_of_no_effect() -> None:
    scores = torch.tensor([[1.0, 2.0, torch.nan], [5.0, 1.0, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    labels = torch.tensor([[1.0, 0.0, torch.nan], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    mask = torch.tensor([[True, True, False], [True, True, True], [False, False, False]])
    loss = softmax_listwise(scores, labels, mask)
    loss.backward()
    assert loss.item() == pytest.approx(np.log(1 + np.e))
    assert scores.grad is not None and scores.grad.isfinite().all()
    assert not scores.grad[1:].any() and scores.grad[0, 2] == 0


def test_no_positive_at_all_is_0() -> None:
    scores = torch.ones(2, 3, requires_grad=True)
    loss = softmax_listwise(scores, torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0 and scores.grad is not None and not scores.grad.any()


def test_adding_a_constant_changes_nothing() -> None:
    scores, labels, mask = torch.randn(4, 5), torch.eye(5)[:4], torch.ones(4, 5, dtype=torch.bool)
    found = softmax_listwise(scores + 100, labels, mask)
    assert found.item() == pytest.approx(softmax_listwise(scores, labels, mask).item(), rel=1e-4)

"""Losses over positives and negatives, against naive loops and what they estimate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from sklearn.metrics import log_loss

from zoo.losses import (
    Contrast,
    cosine_contrastive,
    sampled_bce,
    softmax_contrast,
    triplet_hinge,
    triplet_logistic,
)

LOSSES: dict[str, Callable[[Contrast], torch.Tensor]] = {
    "softmax": lambda scores: softmax_contrast(scores, 0.3),
    "bce": lambda scores: sampled_bce(scores, 0.3, 3.0),
    "hinge": lambda scores: triplet_hinge(scores, 0.4),
    "logistic": lambda scores: triplet_logistic(scores, 5.0),
    "contrastive": lambda scores: cosine_contrastive(scores, 0.2, 3.0),
}


def made(seed: int = 0, rows: int = 4, negatives: int = 6) -> Contrast:
    draw = torch.Generator().manual_seed(seed)
    row = torch.tensor([0, 0, 1, 3, 3, 3])
    keep = torch.rand(rows, negatives, generator=draw) < 0.7
    keep[1] = False
    return Contrast(
        torch.rand(len(row), generator=draw, dtype=torch.float64) * 2 - 1,
        row,
        torch.rand(rows, negatives, generator=draw, dtype=torch.float64) * 2 - 1,
        keep,
        torch.randn(negatives, generator=draw, dtype=torch.float64),
        torch.randn(len(row), generator=draw, dtype=torch.float64),
        torch.rand(len(row), generator=draw, dtype=torch.float64),
    )


def naive(name: str, scores: Contrast) -> float:
    """The weighted mean over positives of a loss written out for one of them."""
    losses = []
    for e, row in enumerate(scores.row.tolist()):
        kept = scores.keep[row].numpy()
        other = scores.negative[row].numpy()[kept]
        importance = np.zeros(len(kept)) if scores.importance is None else scores.importance.numpy()
        importance = importance[kept]
        share = np.exp(importance) / np.exp(importance).sum() if len(other) else np.zeros(0)
        own, shift = float(scores.positive[e]), 0.0 if scores.own is None else float(scores.own[e])
        if name == "softmax":
            logits = np.append(other / 0.3 + importance, own / 0.3 + shift)
            losses.append(logsumexp(logits) - logits[-1])
        elif name == "bce":
            wrong = sum(s * np.log1p(np.exp(x / 0.3)) for s, x in zip(share, other, strict=True))
            losses.append(np.log1p(np.exp(-own / 0.3)) + 3.0 * wrong)
        elif name == "hinge":
            losses.append(sum(s * max(0.0, x + 0.4 - own) for s, x in zip(share, other, strict=True)))
        elif name == "logistic":
            gaps = zip(share, other, strict=True)
            losses.append(sum(s * np.log1p(np.exp(5.0 * (x - own))) for s, x in gaps))
        else:
            wrong = sum(s * max(0.0, x - 0.2) for s, x in zip(share, other, strict=True))
            losses.append(1 - own + 3.0 * wrong)
    weight = None if scores.weight is None else scores.weight.numpy()
    return float(np.average(losses, weights=weight))


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), plain=st.booleans())
def test_a_loss_is_that_of_a_loop(name: str, seed: int, plain: bool) -> None:
    scores = made(seed)
    if plain:
        scores = replace(scores, importance=None, own=None, weight=None)
    assert LOSSES[name](scores).item() == pytest.approx(naive(name, scores))


def test_with_as_much_weight_as_negatives_it_is_the_log_loss_of_them_all() -> None:
    positive, negative = torch.tensor([0.3]), torch.tensor([[-0.2, 0.5, 0.1]])
    scores = Contrast(positive, torch.tensor([0]), negative, torch.ones(1, 3, dtype=torch.bool))
    p = torch.cat([positive, negative[0]]).div(0.5).sigmoid().numpy()
    expected = log_loss([1, 0, 0, 0], p, normalize=False)
    assert sampled_bce(scores, 0.5, 3.0).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_masked_gets_no_gradient_and_nothing_is_ever_undefined(name: str) -> None:
    scores = made()
    scores.positive.requires_grad_()
    scores.negative.requires_grad_()
    LOSSES[name](scores).backward()
    assert scores.positive.grad is not None and scores.positive.grad.isfinite().all()
    assert scores.negative.grad is not None and scores.negative.grad.isfinite().all()
    assert not scores.negative.grad[~scores.keep].any()
    # Row 1 has a positive and no negative.
    assert not scores.negative.grad[1].any()


@pytest.mark.parametrize("name", ["bce", "logistic", "contrastive", "softmax"])
def test_importance_makes_a_skewed_draw_estimate_the_uniform_one(name: str) -> None:
    rng = np.random.default_rng(0)
    cosines = rng.uniform(-1, 1, 50)
    q = np.exp(cosines) / np.exp(cosines).sum()  # Popular items fit better, as they do.
    drawn = rng.choice(50, size=200_000, p=q)
    row, one = torch.tensor([0]), torch.tensor([0.1], dtype=torch.float64)

    def loss(items: np.ndarray, importance: np.ndarray | None, own: float) -> float:
        negative = torch.from_numpy(cosines[items])[None]
        scores = Contrast(
            one,
            row,
            negative,
            torch.ones_like(negative, dtype=torch.bool),
            None if importance is None else torch.from_numpy(importance),
            torch.tensor([own], dtype=torch.float64),
        )
        return LOSSES[name](scores).item()

    everything = np.arange(50)
    # The softmax sums over all items, of which the draw holds q times its size of each.
    exact = loss(everything, None, 0.0)
    corrected = loss(drawn, -np.log(q[drawn] * len(drawn)), 0.0)
    assert corrected == pytest.approx(exact, rel=0.02)
    assert abs(loss(drawn, np.full(len(drawn), -np.log(len(drawn) / 50)), 0.0) - exact) > 0.03 * exact

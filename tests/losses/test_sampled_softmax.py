"""In-batch softmax against a naive loop, and frequencies against the stream they come from."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.losses import StreamingFrequency, in_batch_softmax


def batch(size: int = 6, dim: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    user, item = torch.randn(2, size, dim, generator=generator, dtype=torch.float64)
    item_ids = torch.tensor([3, 5, 3, 8, 5, 3])[:size]
    return user, item, item_ids, torch.rand(size, generator=generator).log()


def naive(user: Tensor, item: Tensor, item_ids: Tensor, log_q: Tensor, temperature: float) -> list[float]:
    losses = []
    for i in range(len(user)):
        logits = [
            float(torch.cosine_similarity(user[i], item[j], dim=0)) / temperature - float(log_q[j])
            for j in range(len(item))
        ]
        others = [j for j in range(len(item)) if j == i or item_ids[j] != item_ids[i]]
        losses.append(math.log(sum(math.exp(logits[j]) for j in others)) - logits[i])
    return losses


def test_equals_a_naive_loop_without_accidental_hits() -> None:
    user, item, item_ids, log_q = batch()
    losses = naive(user, item, item_ids, log_q, 0.2)
    assert in_batch_softmax(user, item, item_ids, log_q, 0.2).item() == pytest.approx(np.mean(losses))
    weight = torch.tensor([1.0, 0, 2, 0.5, 0, 1])
    weighted = in_batch_softmax(user, item, item_ids, log_q, 0.2, weight).item()
    assert weighted == pytest.approx(np.average(losses, weights=weight))
    plain = naive(user, item, item_ids, torch.zeros(6), 0.2)
    assert in_batch_softmax(user, item, item_ids, temperature=0.2).item() == pytest.approx(np.mean(plain))


@pytest.mark.parametrize("weighted", [False, True])
def test_a_large_batch_in_blocks_has_the_same_loss_and_gradients(
    weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, item, item_ids, log_q = batch()
    weight = torch.tensor([1.0, 0, 2, 0.5, 0, 1], dtype=torch.float64) if weighted else None
    losses = naive(user, item, item_ids, log_q, 0.2)
    found = []
    for blocked in (100, 2):
        monkeypatch.setattr("zoo.losses.sampled_softmax.BLOCKED", blocked)
        monkeypatch.setattr("zoo.losses.sampled_softmax.BLOCK", 4)
        given = user.clone().requires_grad_(), item.clone().requires_grad_()
        loss = 3 * in_batch_softmax(*given, item_ids, log_q.double(), 0.2, weight)
        loss.backward()
        found.append((loss, *(x.grad for x in given)))
    assert found[1][0].item() == pytest.approx(3 * np.average(losses, weights=weight))
    torch.testing.assert_close(found[1], found[0])


def test_scale_of_vectors_and_a_constant_in_log_q_have_no_effect() -> None:
    user, item, item_ids, log_q = batch()
    same = in_batch_softmax(user * 7, item / 3, item_ids, log_q + 40)
    torch.testing.assert_close(same, in_batch_softmax(user, item, item_ids, log_q))


def test_a_batch_of_one_item_has_no_loss_and_finite_gradients() -> None:
    user, item, _, _ = batch()
    user.requires_grad_()
    loss = in_batch_softmax(user, item, torch.full((6,), 2))
    loss.backward()
    assert loss.item() == 0 and user.grad is not None and (user.grad == 0).all()


def test_streaming_frequency_converges_to_the_true_frequencies() -> None:
    rng = np.random.default_rng(0)
    p = np.array([0, 0.5, 0.25, 0.15, 0.07, 0.03])
    size = 4
    estimate = StreamingFrequency(num_buckets=6, learning_rate=0.005)
    for _ in range(4000):
        estimate(torch.from_numpy(rng.choice(6, size=size, p=p)))
    expected = np.log(1 - (1 - p[1:]) ** size)
    np.testing.assert_allclose(estimate.eval()(torch.arange(1, 6)), expected, atol=0.2)


def test_streaming_frequency_follows_a_change() -> None:
    estimate = StreamingFrequency(num_buckets=3, learning_rate=0.1)
    for step in range(600):
        every = 2 if step < 300 else 10
        estimate(torch.tensor([1 if step % every == 0 else 2]))
    assert estimate.log_probability(torch.tensor([1])).exp().item() == pytest.approx(0.1, rel=0.1)


def test_streaming_frequency_worked_by_hand() -> None:
    estimate = StreamingFrequency(num_buckets=10, learning_rate=0.25)
    for ids in ([2, 2, 5], [5], [5], [2, 5], [5], [12, 7]):
        estimate(torch.tensor(ids))
    # Item 2 came at steps 1 and 4; 12 shares its bucket and came at 6: gaps 1, 3, 2. Item 7: first at 6.
    gaps = estimate.eval()(torch.tensor([2, 12, 5, 7, 3])).neg().exp()
    torch.testing.assert_close(gaps, torch.tensor([2.0, 2, 1, 6, 7]))
    assert estimate.step.item() == 6
    restored = StreamingFrequency(num_buckets=10)
    restored.load_state_dict(estimate.state_dict())
    assert restored.log_probability(torch.tensor([2, 5])).equal(estimate(torch.tensor([2, 5])))

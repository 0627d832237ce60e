"""AUC, GAUC and log loss against sklearn, naive loops and the laws they obey."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import roc_auc_score
from torch import Tensor

from zoo.metrics import AUC, GAUC, LogLoss
from zoo.metrics import functional as fn
from zoo.metrics.functional import classification


def sample(seed: int = 0, size: int = 400) -> tuple[Tensor, Tensor, Tensor]:
    """Scores with many ties, labels that depend on them, and users of very different sizes."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 30, size) / 8 - 2
    labels = rng.random(size) < 1 / (1 + np.exp(-scores))
    group = np.minimum(rng.geometric(0.15, size) - 1, 24)
    return torch.from_numpy(scores), torch.from_numpy(labels).float(), torch.from_numpy(group)


binary = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 1), st.integers(0, 3)), max_size=25)


@settings(max_examples=80, deadline=None)
@given(rows=binary)
def test_auc_counts_pairs(rows: list[tuple[int, int, int]]) -> None:
    positives = [(score, weight) for score, label, weight in rows if label]
    negatives = [(score, weight) for score, label, weight in rows if not label]
    won = sum(w * v * ((p > n) + (p == n) / 2) for p, w in positives for n, v in negatives)
    pairs = sum(w * v for _, w in positives for _, v in negatives)
    table = torch.tensor(rows, dtype=torch.float64).reshape(-1, 3)
    value = fn.auc(table[:, 0], table[:, 1], table[:, 2]).item()
    assert value == pytest.approx(won / pairs if pairs else math.nan, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_auc_obeys_its_laws(seed: int) -> None:
    scores, labels, _ = sample(seed, size=50)
    value = fn.auc(scores, labels)
    shuffled = torch.from_numpy(np.random.default_rng(seed).permutation(50))
    for same in (
        fn.auc(scores - 1e6, labels),
        fn.auc(scores.exp(), labels),
        fn.auc(scores[shuffled], labels[shuffled]),
        1 - fn.auc(-scores, labels),
        1 - fn.auc(scores, 1 - labels),
    ):
        torch.testing.assert_close(same, value)


def test_auc_equals_sklearn() -> None:
    scores, labels, group = sample()
    assert fn.auc(scores, labels).item() == pytest.approx(roc_auc_score(labels, scores))
    weighted = roc_auc_score(labels, scores, sample_weight=group + 0.5)
    assert fn.auc(scores, labels, group + 0.5).item() == pytest.approx(weighted)


def test_auc_replicates_equal_sklearn_on_repeated_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classification, "_CHUNK", 1000)  # so that replicates come in several chunks
    scores, labels, group = sample()
    weights = torch.from_numpy(np.random.default_rng(1).multinomial(25, np.full(25, 1 / 25), size=9))
    repeats = weights[:, group].numpy()
    y, s = labels.numpy(), scores.numpy()
    expected = [roc_auc_score(np.repeat(y, times), np.repeat(s, times)) for times in repeats]
    np.testing.assert_allclose(fn.auc_replicates(scores, labels, group, weights), expected)


def test_auc_replicate_without_a_class_is_nan() -> None:
    scores, labels, group = torch.tensor([0.1, 0.9]), torch.tensor([0, 1]), torch.tensor([0, 1])
    weights = torch.tensor([[1, 1], [2, 0], [0, 0]])
    assert fn.auc_replicates(scores, labels, group, weights).isnan().tolist() == [False, True, True]


def test_gauc_equals_a_loop_over_users() -> None:
    scores, labels, group = sample()
    value, per_group = fn.gauc(scores, labels, group, num_groups=27)
    expected, weights = np.full(27, np.nan), np.zeros(27)
    for user in range(27):
        mine = (group == user).numpy()
        if len(set(labels[mine].tolist())) == 2:
            expected[user], weights[user] = roc_auc_score(labels[mine], scores[mine]), mine.sum()
    assert np.isnan(expected[25:]).all() and np.isnan(expected[:25]).any()
    np.testing.assert_allclose(per_group, expected)
    assert value.item() == pytest.approx(np.average(np.nan_to_num(expected), weights=weights))


def test_gauc_ignores_what_is_constant_within_a_user_and_the_order_of_samples() -> None:
    scores, labels, group = sample()
    shuffled = torch.from_numpy(np.random.default_rng(2).permutation(len(scores)))
    for same in (
        fn.gauc(scores + 100 * (group % 3), labels, group),
        fn.gauc(scores[shuffled], labels[shuffled], group[shuffled]),
    ):
        torch.testing.assert_close(same, fn.gauc(scores, labels, group), equal_nan=True)


def test_gauc_without_any_valid_user_is_nan() -> None:
    empty = torch.zeros(0)
    assert fn.gauc(empty, empty, empty.long(), num_groups=2)[1].isnan().tolist() == [True, True]
    assert fn.gauc(torch.ones(2), torch.tensor([0, 1]), torch.tensor([0, 1]))[0].isnan()


def test_scores_without_an_order_are_refused() -> None:
    scores, labels, group = torch.tensor([0.0, math.nan]), torch.tensor([0, 1]), torch.tensor([0, 0])
    for metric in (fn.auc, lambda s, y: fn.gauc(s, y, group)):
        with pytest.raises(ValueError, match="NaN"):
            metric(scores, labels)


def test_log_loss_equals_sklearn() -> None:
    scores, labels, group = sample()
    probabilities = scores.sigmoid()
    assert fn.log_loss(scores, labels).item() == pytest.approx(sklearn_log_loss(labels, probabilities))
    weighted = sklearn_log_loss(labels, probabilities, sample_weight=group + 1)
    assert fn.log_loss(scores, labels, group + 1).item() == pytest.approx(weighted)


def test_log_loss_is_exact_where_the_sigmoid_saturates() -> None:
    logits = torch.tensor([1000.0, -1000.0, 800.0])
    assert fn.log_loss(logits, torch.tensor([1, 0, 0])).item() == pytest.approx(800 / 3)


def test_classes_do_not_depend_on_the_batches() -> None:
    scores, labels, group = sample()
    for metric, inputs, expected in (
        (AUC(), (scores, labels), fn.auc(scores, labels)),
        (GAUC(), (scores, labels, group), fn.gauc(scores, labels, group)[0]),
        (LogLoss(), (scores, labels), fn.log_loss(scores, labels)),
    ):
        for part in (slice(0, 0), slice(0, 11), slice(11, None)):
            metric.update(*(each[part] for each in inputs))
        torch.testing.assert_close(metric.compute(), expected)

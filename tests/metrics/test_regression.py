"""Errors and order of predicted numbers against loops, scipy and the AUC."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, roc_auc_score

from zoo.metrics import MAE, XAUC
from zoo.metrics import functional as fn

rows = st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 4)), max_size=35)


@settings(max_examples=100, deadline=None)
@given(rows=rows)
def test_xauc_counts_pairs(rows: list[tuple[int, int]]) -> None:
    won, pairs = 0.0, 0
    for (p, a), (q, b) in combinations(rows, 2):
        if a != b:
            pairs += 1
            won += 0.5 if p == q else float((p < q) == (a < b))
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 2)
    expected = won / pairs if pairs else float("nan")
    assert fn.xauc(table[:, 0], table[:, 1]).item() == pytest.approx(expected, nan_ok=True)


def sample() -> tuple[torch.Tensor, torch.Tensor]:
    draw = np.random.default_rng(0)
    actual = draw.exponential(20, 700)
    return torch.from_numpy(actual * draw.lognormal(size=700)), torch.from_numpy(actual)


def test_xauc_of_yes_and_no_is_the_auc_and_turned_round_its_complement() -> None:
    predicted, actual = sample()
    yes = (actual > 15).long()
    assert fn.xauc(predicted, yes).item() == pytest.approx(roc_auc_score(yes, predicted))
    assert fn.xauc(-predicted, actual).item() == pytest.approx(1 - fn.xauc(predicted, actual).item())
    assert fn.xauc(actual, actual) == 1


def test_mae_equals_sklearn_and_classes_do_not_depend_on_the_batches() -> None:
    predicted, actual = sample()
    assert fn.mae(predicted, actual).item() == pytest.approx(mean_absolute_error(actual, predicted))
    for metric, expected in ((MAE(), fn.mae(predicted, actual)), (XAUC(), fn.xauc(predicted, actual))):
        for part in (slice(0, 0), slice(0, 13), slice(13, None)):
            metric.update(predicted[part], actual[part])
        torch.testing.assert_close(metric.compute(), expected)


def test_numbers_without_an_order_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        fn.xauc(torch.tensor([0.0, float("nan")]), torch.tensor([0, 1]))

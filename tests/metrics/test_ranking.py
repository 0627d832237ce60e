"""Ranking metrics against naive loops, hand-worked values and the laws they obey."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import ndcg_score
from torch import Tensor

from zoo.metrics import MRR, HitAtK, NDCGAtK, PrecisionAtK, RecallAtK
from zoo.metrics import functional as fn

AT_K = {
    "recall": fn.recall_at_k,
    "precision": fn.precision_at_k,
    "hit": fn.hit_at_k,
    "ndcg": fn.ndcg_at_k,
    "mrr": fn.mrr,
}


def naive(name: str, ids: list[int], targets: list[int], k: int) -> float:
    relevant = set(targets) - {0}
    if not relevant:
        return math.nan
    seen: set[int] = set()
    ranks = []
    for rank, item in enumerate(ids[:k], start=1):
        if item in relevant and item not in seen:
            ranks.append(rank)
        seen.add(item)
    gain = sum(1 / math.log2(1 + rank) for rank in ranks)
    ideal = sum(1 / math.log2(1 + rank) for rank in range(1, min(k, len(relevant)) + 1))
    return {
        "recall": len(ranks) / len(relevant),
        "precision": len(ranks) / k,
        "hit": float(bool(ranks)),
        "ndcg": gain / ideal,
        "mrr": 1 / ranks[0] if ranks else 0.0,
    }[name]


def matrices(columns: int, largest: int = 9) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.int64, (4, columns), elements=st.integers(0, largest))


@st.composite
def rankings(draw: st.DrawFn) -> tuple[Tensor, Tensor, int]:
    ids = draw(matrices(draw(st.integers(0, 8))))
    targets = draw(matrices(draw(st.integers(0, 6))))
    return torch.from_numpy(ids), torch.from_numpy(targets), draw(st.integers(1, 10))


@pytest.mark.parametrize("name", AT_K)
@settings(max_examples=60, deadline=None)
@given(case=rankings())
def test_equals_a_naive_loop_over_users(name: str, case: tuple[Tensor, Tensor, int]) -> None:
    ids, targets, k = case
    expected = [naive(name, i, t, k) for i, t in zip(ids.tolist(), targets.tolist(), strict=True)]
    np.testing.assert_allclose(AT_K[name](ids, targets, k), expected, rtol=1e-5)


@pytest.mark.parametrize("name", AT_K)
@settings(max_examples=30, deadline=None)
@given(case=rankings())
def test_padding_order_of_targets_and_batching_have_no_effect(
    name: str, case: tuple[Tensor, Tensor, int]
) -> None:
    ids, targets, k = case
    values = AT_K[name](ids, targets, k)
    padded = AT_K[name](
        torch.nn.functional.pad(ids, (0, 3)), torch.nn.functional.pad(targets.flip(1), (2, 1)), k
    )
    rows = torch.cat([AT_K[name](i[None], t[None], k) for i, t in zip(ids, targets, strict=True)])
    torch.testing.assert_close(padded, values, equal_nan=True)
    torch.testing.assert_close(rows, values, equal_nan=True)


@settings(max_examples=30, deadline=None)
@given(case=rankings())
def test_recall_and_hit_never_fall_with_k(case: tuple[Tensor, Tensor, int]) -> None:
    ids, targets, k = case
    for metric in (fn.recall_at_k, fn.hit_at_k, fn.mrr):
        assert (metric(ids, targets, k + 1).nan_to_num() >= metric(ids, targets, k).nan_to_num()).all()


def test_worked_by_hand() -> None:
    ids = torch.tensor([[5, 3, 3, 9, 0], [1, 2, 0, 0, 0], [1, 2, 3, 4, 5]])
    targets = torch.tensor([[3, 9, 7], [4, 4, 0], [0, 0, 0]])
    nan = math.nan
    dcg = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    for values, expected in (
        (fn.recall_at_k(ids, targets, 4), [2 / 3, 0, nan]),
        (fn.precision_at_k(ids, targets, 4), [1 / 2, 0, nan]),
        (fn.hit_at_k(ids, targets, 1), [0, 0, nan]),
        (fn.ndcg_at_k(ids, targets, 4), [dcg / ideal, 0, nan]),
        (fn.mrr(ids, targets), [1 / 2, 0, nan]),
    ):
        torch.testing.assert_close(values, torch.tensor(expected), equal_nan=True)
    assert fn.num_relevant(targets).tolist() == [3, 1, 0]


def test_ndcg_equals_sklearn() -> None:
    rng = np.random.default_rng(0)
    relevance = rng.random((20, 30)) < 0.2
    relevance[:, 0] = True
    scores = rng.random((20, 30))
    ids = torch.from_numpy(np.argsort(-scores, axis=1) + 1)
    targets = torch.from_numpy(np.where(relevance, np.arange(1, 31), 0))
    for k in (1, 10, 30):
        assert fn.ndcg_at_k(ids, targets, k).mean().item() == pytest.approx(
            ndcg_score(relevance, scores, k=k), rel=1e-5
        )


@pytest.mark.parametrize("metric", [fn.recall_at_k, fn.precision_at_k, fn.hit_at_k, fn.ndcg_at_k])
def test_k_below_one_is_refused(metric: object) -> None:
    ids = torch.ones(1, 1, dtype=torch.int64)
    with pytest.raises(ValueError, match="at least 1"):
        metric(ids, ids, 0)  # type: ignore[operator]


@settings(max_examples=60, deadline=None)
@given(
    scores=arrays(np.float64, (3, 9), elements=st.integers(-4, 4)),
    exclude=matrices(3, largest=8),
    k=st.integers(1, 12),
    shift=st.sampled_from([0, 7, -1000, -(2**50)]),
)
def test_rank_by_score_equals_sorting_what_is_left(
    scores: np.ndarray, exclude: np.ndarray, k: int, shift: int
) -> None:
    exclude = exclude[:3]
    ranked = fn.rank_by_score(torch.from_numpy(scores + shift), k, torch.from_numpy(exclude))
    for row, left_out, found in zip(scores, exclude, ranked.tolist(), strict=True):
        items = sorted(set(range(1, 9)) - set(left_out.tolist()), key=lambda item: (-row[item], item))
        assert found == (items + [0] * k)[:k]


def test_rank_by_score_ranks_hopeless_items_but_never_excluded_ones() -> None:
    scores = torch.tensor([[9.0, -torch.inf, -3e38, 5.0, 0.0]])
    before = scores.clone()
    assert fn.rank_by_score(scores, 4).tolist() == [[3, 4, 2, 1]]
    assert fn.rank_by_score(scores, 4, torch.tensor([[3, 0]])).tolist() == [[4, 2, 1, 0]]
    assert scores.equal(before)
    assert fn.rank_by_score(torch.tensor([[0, 2, 2, 7]]), 2).tolist() == [[3, 1]]


def test_rank_by_score_refuses_what_has_no_order() -> None:
    with pytest.raises(ValueError, match="NaN"):
        fn.rank_by_score(torch.tensor([[0.0, torch.nan]]), 1)
    with pytest.raises(ValueError, match="at least 1"):
        fn.rank_by_score(torch.zeros(1, 2), 0)


def test_classes_average_over_users_with_a_target_whatever_the_batches() -> None:
    generator = torch.Generator().manual_seed(0)
    ids = torch.rand(40, 30, generator=generator).argsort(dim=1)[:, :10]
    targets = torch.randint(0, 30, (40, 4), generator=generator)
    targets[::5] = 0
    for metric, values in (
        (RecallAtK(5), fn.recall_at_k(ids, targets, 5)),
        (PrecisionAtK(5), fn.precision_at_k(ids, targets, 5)),
        (HitAtK(5), fn.hit_at_k(ids, targets, 5)),
        (NDCGAtK(5), fn.ndcg_at_k(ids, targets, 5)),
        (MRR(), fn.mrr(ids, targets)),
    ):
        for part in (slice(0, 7), slice(7, 40)):
            metric.update(ids[part], targets[part])
        expected = np.nanmean(values.double().numpy())
        assert metric.compute().item() == pytest.approx(expected)

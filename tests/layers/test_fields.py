"""Fields one by one, and products of pairs against every pair."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import naive
from tests.conformance.setting import rank_batch, rank_data
from zoo.layers.fields import FieldEmbedding, Fields, FirstOrder, flat, pair_products
from zoo.layers.histories import Histories, HistoryConfig

BATCH, SCHEMA = rank_batch(), rank_data()[0]
REQUEST = SCHEMA.having("user", "context")
CANDIDATE = SCHEMA.having("item_id", "item", "item_stat", "column", "cross")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 4), st.integers(1, 4), st.integers(0, 3), st.integers(1, 5), st.integers(0, 99))
def test_products_of_pairs_equal_the_sum_over_pairs(
    of_request: int, of_candidate: int, places: int, dim: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    request, candidate = (
        draw.normal(size=(2, of_request, dim)),
        draw.normal(size=(2, places, of_candidate, dim)),
    )
    found = pair_products(torch.from_numpy(request), torch.from_numpy(candidate)).numpy()
    assert found.shape == (2, places, dim)
    for row, place in np.ndindex(2, places):
        x = [*request[row], *candidate[row, place]]
        expected = sum((a * b for a, b in combinations(x, 2)), np.zeros(dim))
        assert np.allclose(found[row, place], expected)


@pytest.mark.parametrize(("features", "where"), [(REQUEST, (3,)), (CANDIDATE, (3, 2)), (CANDIDATE, (1, 9))])
def test_a_field_is_what_the_value_stands_for(features: tuple, where: tuple[int, ...]) -> None:
    layer = FieldEmbedding(features, 3)
    naive.spread(layer)
    expected = naive.fields(layer, BATCH, where)
    assert layer.size == len(expected)
    assert np.allclose(naive.array(layer(BATCH)[where]), expected, atol=1e-5)


def test_first_order_is_one_weight_for_each_value_and_task() -> None:
    layer = FirstOrder(REQUEST, CANDIDATE, ["a", "b"])
    naive.spread(layer)
    total = sum(naive.fields(layer.of_request, BATCH, (2,)) + naive.fields(layer.of_candidate, BATCH, (2, 4)))
    assert [layer(BATCH)[name][2, 4].item() for name in ("a", "b")] == pytest.approx(total, abs=1e-4)


def test_a_history_is_a_field_and_a_level_may_be_empty() -> None:
    past = Histories(SCHEMA, HistoryConfig("lastn_mean", ["watch", "like"]), 4)
    both = Fields(REQUEST, CANDIDATE, past, 4)
    request, candidate = both(BATCH)
    assert both.size == request.shape[1] + candidate.shape[2] == len(REQUEST) + len(CANDIDATE) + 1
    assert request[:, -1].equal(both.past(past.request(BATCH)))
    alone = Fields([], CANDIDATE, Histories(SCHEMA, HistoryConfig(), 4), 4)
    request, candidate = alone(BATCH)
    assert request.shape == (len(candidate), 0, 4) and alone.size == len(CANDIDATE)
    assert flat(request, candidate).equal(candidate.flatten(2))

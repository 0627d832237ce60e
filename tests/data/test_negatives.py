"""Negatives: never what is excluded, never one twice, all equally likely."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from tests.world import padded_ids
from zoo.data.negatives import choose, uniform

EXCLUDED = st.lists(st.lists(st.integers(1, 30), max_size=12), min_size=1, max_size=4)


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def check(found: torch.Tensor, allowed: list[set[int]], count: int) -> None:
    """Every row holds `count` distinct allowed items, or all there are; padding comes last."""
    assert found.shape == (len(allowed), count) and found.dtype == torch.int64
    for row, pool in zip(found.tolist(), allowed, strict=True):
        wanted = min(count, len(pool))
        assert len(set(row[:wanted])) == wanted and set(row[:wanted]) <= pool
        assert not any(row[wanted:])


@settings(max_examples=60, deadline=None)
@given(EXCLUDED, st.integers(1, 30), st.integers(0, 12), st.integers(0, 9))
def test_uniform_draws_distinct_items_that_are_not_excluded(
    excluded: list[list[int]], n_items: int, count: int, seed: int
) -> None:
    allowed = [set(range(1, n_items + 1)) - set(row) for row in excluded]
    check(uniform(n_items, count, padded_ids(excluded), rng(seed)), allowed, count)


@settings(max_examples=60, deadline=None)
@given(EXCLUDED, st.sets(st.integers(1, 30)), st.integers(0, 12), st.integers(0, 9))
def test_choose_draws_from_each_rows_pool(
    excluded: list[list[int]], pool: set[int], count: int, seed: int
) -> None:
    pools = padded_ids([sorted(pool)] * len(excluded), 30)
    check(choose(pools, count, padded_ids(excluded), rng(seed)), [pool - set(row) for row in excluded], count)


# Of 12 items an explicit pool is shuffled, of 40 items are drawn and rejected, of 22 these run dry for some.
@pytest.mark.parametrize(("n_items", "count", "excluded"), [(12, 5, [2, 3]), (40, 5, [2, 3]), (22, 10, [])])
def test_all_items_are_equally_likely(n_items: int, count: int, excluded: list[int]) -> None:
    rows = 4000
    found = uniform(n_items, count, padded_ids([excluded] * rows), rng(1))
    assert (found > 0).all()
    counts = found.flatten().bincount(minlength=n_items + 1)[1:]
    allowed = [item - 1 for item in range(1, n_items + 1) if item not in excluded]
    # Draws without replacement vary less than chi-square assumes, so that the test can only be too kind.
    assert chisquare(counts[allowed].numpy()).pvalue > 1e-3
    first = found[:, 0].bincount(minlength=n_items + 1)[1:]
    assert chisquare(first[allowed].numpy()).pvalue > 1e-3


def test_the_same_seed_draws_the_same() -> None:
    none = torch.zeros(3, 0, dtype=torch.int64)
    assert uniform(100, 5, none, rng(4)).equal(uniform(100, 5, none, rng(4)))
    assert not uniform(100, 5, none, rng(4)).equal(uniform(100, 5, none, rng(5)))

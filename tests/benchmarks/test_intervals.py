"""Intervals against naive loops, Student's table and hand-worked numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.intervals import (
    Interval,
    _t_975,
    bootstrap_weights,
    combine_seeds,
    paired_difference,
    pooled_interval,
    replicates,
    user_interval,
)


def naive_replicates(values):
    weights = np.random.default_rng(20260101).multinomial(
        len(values), [1 / len(values)] * len(values), size=200
    )
    result = []
    for row in weights:
        drawn = [v for v, count in zip(values, row, strict=True) for _ in range(count) if not np.isnan(v)]
        result.append(sum(drawn) / len(drawn) if drawn else float("nan"))
    return np.array(result)


def test_weights_draw_as_many_users_as_there_are_and_are_shared():
    weights = bootstrap_weights(17)
    assert weights.shape == (200, 17)
    assert (weights.sum(axis=1) == 17).all()
    assert bootstrap_weights(17, 200) is bootstrap_weights(17, 200)
    with pytest.raises(ValueError, match="read-only"):
        weights[0, 0] = 1
    with pytest.raises(ValueError, match="at least one user"):
        bootstrap_weights(0)


def test_replicates_are_the_means_a_loop_finds():
    values = np.random.default_rng(3).random(25).astype(np.float32)
    values[[2, 7, 8]] = np.nan
    np.testing.assert_allclose(replicates({"user/x": values}, "x"), naive_replicates(values), rtol=1e-6)


def test_replicates_prefer_pooled_ones_and_may_be_absent():
    arrays = {"user/x": np.ones(3, np.float32), "boot/x": np.full(200, 0.5, np.float32)}
    assert (replicates(arrays, "x") == 0.5).all()
    assert replicates(arrays, "y") is None


def test_user_interval_is_the_percentiles_of_the_naive_bootstrap():
    values = np.random.default_rng(4).random(40)
    interval = user_interval(values)
    lo, hi = np.percentile(naive_replicates(values), [2.5, 97.5])
    assert (interval.mean, interval.lo, interval.hi) == pytest.approx((values.mean(), lo, hi))


def test_user_interval_covers_about_as_the_normal_one_does():
    values = np.random.default_rng(5).normal(1, 2, 4000)
    interval = user_interval(values)
    assert interval.hi - interval.lo == pytest.approx(2 * 1.96 * 2 / np.sqrt(4000), rel=0.15)


def test_one_defined_user_among_many_leaves_replicates_undefined_but_not_the_interval():
    values = np.full(3, np.nan)
    values[1] = 0.25
    assert np.isnan(replicates({"user/x": values}, "x")).any()
    assert user_interval(values) == Interval(0.25, 0.25, 0.25)
    with pytest.raises(ValueError, match="no user has a value"):
        user_interval(np.full(3, np.nan))


def test_pooled_interval_always_holds_the_mean():
    assert pooled_interval(0.9, np.full(200, 0.5)) == Interval(0.9, 0.5, 0.9)
    assert pooled_interval(0.9, np.full(200, np.nan)) == Interval(0.9, None, None)


def test_one_seed_combines_to_itself():
    values = np.random.default_rng(6).random(200)
    assert combine_seeds([(0.5, values)]) == pooled_interval(0.5, values)
    assert combine_seeds([(0.5, None)]) == Interval(0.5, None, None)


def test_seeds_that_differ_widen_the_interval_to_their_range():
    interval = combine_seeds([(0.0, np.zeros(200)), (1.0, np.ones(200))])
    assert interval == Interval(0.5, 0.0, 1.0)  # of two seeds, a quarter of the draws is twice the same one


def test_seeds_without_replicates_use_students_t():
    interval = combine_seeds([(1.0, None), (2.0, None), (4.0, np.ones(200))])
    lo, hi = stats.t.interval(0.95, 2, loc=7 / 3, scale=stats.sem([1, 2, 4]))
    assert (interval.mean, interval.lo, interval.hi) == pytest.approx((7 / 3, lo, hi), rel=1e-4)


@pytest.mark.parametrize("df", [1, 2, 3, 5, 9, 10, 15, 30, 200])
def test_t_quantile(df):
    assert _t_975(df) == pytest.approx(stats.t.ppf(0.975, df), abs=5e-4)


def test_paired_difference_cancels_what_users_share():
    users = np.random.default_rng(7).random(300).astype(np.float32)
    a, b = ({"user/x": users + shift} for shift in (np.float32(0.01), np.float32(0)))
    one, other = ([(float(s["user/x"].mean()), replicates(s, "x"))] for s in (a, b))
    alone, paired = combine_seeds(one), paired_difference(one, other)
    assert alone.hi - alone.lo > 0.05
    assert (paired.mean, paired.lo, paired.hi) == pytest.approx((0.01, 0.01, 0.01), abs=1e-6)


def test_paired_difference_is_the_percentiles_of_the_differences():
    a, b = np.random.default_rng(8).random((2, 200))
    lo, hi = np.percentile(a - b, [2.5, 97.5])
    found = paired_difference([(0.5, a)], [(0.4, b)])
    assert (found.mean, found.lo, found.hi) == pytest.approx((0.1, lo, hi))
    assert paired_difference([(0.5, a)], [(0.4, None)]).lo is None


def test_paired_difference_draws_the_seeds_of_each_on_their_own():
    seeds = [(0.0, np.zeros(200)), (1.0, np.ones(200))]
    assert paired_difference(seeds, seeds) == Interval(0.0, -1.0, 1.0)


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30),
    scale=st.floats(0.125, 8),
    shift=st.floats(-4, 4),
)
def test_intervals_move_with_their_values(values, scale, shift):
    plain = user_interval(np.array(values))
    moved = user_interval(np.array(values) * scale + shift)
    assert plain.lo <= plain.mean <= plain.hi
    for end in ("mean", "lo", "hi"):
        assert getattr(moved, end) == pytest.approx(getattr(plain, end) * scale + shift, abs=1e-6)

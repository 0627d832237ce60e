"""Intervals over users and seeds, by one bootstrap that every record shares.

Replicate r of every record of one dataset and protocol draws the same users, so the difference of two records
is taken replicate by replicate, and what one hard user does to both cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

REPLICATES = 200
_SEED = 20260101

Replicates: TypeAlias = NDArray[np.float64]
Arrays: TypeAlias = Mapping[str, NDArray[Any]]
Seeds: TypeAlias = Sequence[tuple[float, Replicates | None]]


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval; `lo` and `hi` are None where no interval can be given."""

    mean: float
    lo: float | None = None
    hi: float | None = None


@lru_cache(maxsize=2)
def bootstrap_weights(U: int, R: int = REPLICATES) -> NDArray[np.int32]:
    """How often each replicate draws each user, `(R, U)`; read-only, and the same in every process.

    Raises:
        ValueError: If there is no user to draw.
    """
    if U < 1:
        raise ValueError("a bootstrap needs at least one user")
    weights = np.random.default_rng(_SEED).multinomial(U, np.full(U, 1 / U), size=R).astype(np.int32)
    weights.setflags(write=False)
    return weights


def replicates(arrays: Arrays, metric: str) -> Replicates | None:
    """The metric under each shared resample, `(R,)`, or None if the arrays do not have it.

    A replicate that draws no user with a defined value is NaN.
    """
    if f"boot/{metric}" in arrays:
        return arrays[f"boot/{metric}"].astype(np.float64)
    values = arrays.get(f"user/{metric}")
    return None if values is None else _resampled_means(values.astype(np.float64))


def _resampled_means(values: NDArray[np.float64]) -> Replicates:
    weights, defined = bootstrap_weights(len(values)), ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return (weights @ np.where(defined, values, 0.0)) / (weights @ defined.astype(np.float64))


def user_interval(values: NDArray[Any]) -> Interval:
    """The mean over users of `values` `(U,)`, NaN where undefined, and its interval.

    Raises:
        ValueError: If no user has a value; such a metric does not belong in a record.
    """
    values = np.asarray(values, np.float64)
    if np.isnan(values).all():
        raise ValueError("no user has a value for this metric; leave it out of the record")
    return pooled_interval(float(np.nanmean(values)), _resampled_means(values))


def pooled_interval(mean: float, replicates: NDArray[Any]) -> Interval:
    """The 2.5 and 97.5 percentiles of `replicates` `(R,)`, widened where needed to hold the mean.

    Coverage needs the widening: a resample has fewer distinct users, so it covers fewer items than all do.
    """
    defined = np.asarray(replicates, np.float64)
    defined = defined[np.isfinite(defined)]
    if not defined.size:
        return Interval(mean)
    lo, hi = np.percentile(defined, (2.5, 97.5))
    return Interval(mean, min(float(lo), mean), max(float(hi), mean))


def combine_seeds(seeds: Seeds) -> Interval:
    """One interval over seeds and users, from each seed's mean and replicates `(R,)`.

    Each replicate draws the seeds with replacement, as it does the users. Without replicates the interval is
    Student's t over the seeds, and none for a single seed.
    """
    means = np.array([mean for mean, _ in seeds])
    pooled = _over_seeds(seeds, stream=1)
    if pooled is not None:
        return pooled_interval(float(means.mean()), pooled)
    if len(means) == 1:
        return Interval(float(means[0]))
    mean = float(means.mean())
    half = _t_975(len(means) - 1) * float(means.std(ddof=1)) / math.sqrt(len(means))
    return Interval(mean, mean - half, mean + half)


def paired_difference(seeds_a: Seeds, seeds_b: Seeds) -> Interval:
    """A minus b over the same users, the seeds of each drawn independently; no bounds without replicates."""
    mean = float(np.mean([mean for mean, _ in seeds_a]) - np.mean([mean for mean, _ in seeds_b]))
    a, b = _over_seeds(seeds_a, stream=1), _over_seeds(seeds_b, stream=2)
    return Interval(mean) if a is None or b is None else pooled_interval(mean, a - b)


def over_windows(interval: Interval, windows: Sequence[float]) -> Interval:
    """An interval over users and seeds, widened to cover windows of time: Student's t over their values.

    A window is a draw of its own: next month will differ from this one by more than other users would.
    """
    if len(windows) < 2:
        return interval
    values = np.array(windows)
    half = _t_975(len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))
    lo, hi = (interval.mean if bound is None else bound for bound in (interval.lo, interval.hi))
    return Interval(interval.mean, min(lo, interval.mean - half), max(hi, interval.mean + half))


def _over_seeds(seeds: Seeds, stream: int) -> Replicates | None:
    drawn = [values for _, values in seeds if values is not None]
    if not seeds or len(drawn) < len(seeds):
        return None
    stacked = np.stack(drawn)
    picks = np.random.default_rng([_SEED, stream]).integers(len(stacked), size=stacked.shape)
    pooled: Replicates = np.take_along_axis(stacked, picks, axis=0).mean(axis=0)
    return pooled


def _t_975(df: int) -> float:
    """Student's 97.5 % quantile: a table where it bends, then Cornish-Fisher (off by less than 0.0005)."""
    table = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622)
    if df <= len(table):
        return table[df - 1]
    z = NormalDist().inv_cdf(0.975)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return float(z + first / df + second / df**2 + third / df**3)

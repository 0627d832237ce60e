"""Features that know too much are found, and chance is not taken for knowledge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from tiny_profile import (
    BEHAVIOURS,
    CATEGORY,
    EVENTS,
    ITEMS,
    NUMBER,
    clean,
    profiled,
    the_warning,
)

from benchmarks.datasets import DatasetConfig
from benchmarks.datasets.profiling.advice import warnings_of
from benchmarks.datasets.profiling.leaks import _auc_of_counts, _correlation, leaks
from zoo.data.log import Log
from zoo.data.marks import flags_of
from zoo.data.roles import FeatureConfig


def test_a_column_that_equals_a_label_warns() -> None:
    found = profiled({"context": {"device": CATEGORY, "click": CATEGORY}})
    assert the_warning(found).startswith("context.click equals click (AUC of it alone 1.000)")


@pytest.mark.parametrize("feature", [NUMBER, CATEGORY], ids=["numeric", "categorical"])
def test_a_feature_of_items_that_determines_a_label_warns(feature: FeatureConfig) -> None:
    log, _ = clean()
    liked = np.arange(ITEMS) % 3 == 0
    number = np.array([int(name[1:]) for name in log.items["item_id"].take(log.events["item"]).to_pylist()])
    # The clean log is sorted, so its columns are given back in its order.
    events = {
        "user_id": log.users["user_id"].take(log.events["user"]),
        "item_id": log.items["item_id"].take(log.events["item"]),
        "time": log.events["time"],
        "click": liked[number].astype(int),
        "like": np.zeros(EVENTS, dtype=int),
        "device": log.events["device"],
    }
    behaviours = {name: BEHAVIOURS[name] for name in ("exposure", "click")}
    schema = {"behaviours": behaviours, "item": {"score": feature}}
    found = profiled(schema, events=events, items={"score": liked.astype(int)})
    assert the_warning(found).startswith("item.score nearly determines click (AUC of it alone 1.000)")


def test_many_values_that_are_there_once_are_no_leak() -> None:
    found = profiled({"context": {"token": CATEGORY}}, events={"token": [str(n) for n in range(EVENTS)]})
    assert warnings_of(found) == []


@pytest.mark.parametrize("empty_where", [0, 1])
def test_a_missing_value_that_tells_a_label_warns(empty_where: int) -> None:
    draw = np.random.default_rng(1)
    click = draw.random(EVENTS) < 0.4
    dwell = pa.array(draw.random(EVENTS), mask=click == bool(empty_where))
    events = {"click": click.astype(int), "like": np.zeros(EVENTS, dtype=int), "dwell": dwell}
    behaviours = {name: BEHAVIOURS[name] for name in ("exposure", "click")}
    found = profiled({"context": {"dwell": NUMBER}, "behaviours": behaviours}, events=events)
    assert the_warning(found).startswith("context.dwell is missing where click is decided")


def test_values_that_are_missing_by_chance_are_no_leak() -> None:
    holes = pa.array(np.arange(EVENTS) * 1.0, mask=np.random.default_rng(2).random(EVENTS) < 0.3)
    assert warnings_of(profiled({"context": {"dwell": NUMBER}}, events={"dwell": holes})) == []


def test_times_that_are_missing_where_a_label_is_negative_warn() -> None:
    log, config = clean()
    time = np.where(log.events["click"].to_numpy() == 1, log.events["time"].to_numpy(), -1)
    index = log.events.column_names.index("time")
    events = log.events.set_column(index, "time", pa.array(time))
    lines = list(leaks(replace(log, events=events), config, _flags(log, config)))
    assert lines[0].startswith("events.time is missing where click is decided")


@pytest.mark.parametrize("power", [1, 3], ids=["Pearson", "Spearman"])
@pytest.mark.parametrize("side", ["user", "item"])
@pytest.mark.parametrize("kind", [NUMBER, CATEGORY], ids=["numeric", "categorical"])
def test_a_count_of_the_whole_log_warns(side: str, power: int, kind: FeatureConfig) -> None:
    log, _ = clean()
    table = getattr(log, f"{side}s")
    count = np.bincount(log.events[side].to_numpy(), minlength=table.num_rows)
    by_id = dict(zip(table[f"{side}_id"].to_pylist(), (count**power).tolist(), strict=True))
    column = {"popularity": [by_id[f"{side[0]}{n}"] for n in range(table.num_rows)]}
    if kind is CATEGORY:  # read as text, as a guess may have it
        column = {"popularity": [str(number) for number in column["popularity"]]}
    found = profiled({side: {"popularity": kind}}, **{f"{side}s": column})
    assert f"{side}.popularity follows the {side}'s number of events" in the_warning(found)


def test_auc_by_counts_is_that_of_sklearn() -> None:
    draw = np.random.default_rng(3)
    codes, label = draw.integers(9, size=500), draw.random(500) < 0.3
    score = np.round(draw.random(9), 1)
    counts = [np.bincount(codes[label == want], minlength=9) for want in (True, False)]
    assert _auc_of_counts(*counts, score) == pytest.approx(roc_auc_score(label, score[codes]))


def test_correlation_is_that_of_scipy() -> None:
    draw = np.random.default_rng(4)
    values, counts = draw.integers(5, size=200) * 1.0, draw.integers(7, size=200)
    expected = max(abs(spearmanr(values, counts).statistic), abs(np.corrcoef(values, counts)[0, 1]))
    assert _correlation(values, counts) == pytest.approx(expected)


def _flags(log: Log, config: DatasetConfig) -> dict[str, Any]:
    return {name: flag.numpy() for name, flag in flags_of(log.events, config.schema).items()}

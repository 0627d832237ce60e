"""Funnels from the stages that a YAML lists."""

from __future__ import annotations

import pytest
import torch

import zoo
from tests import tiny
from tests.conformance.setting import rank_data, request
from zoo.bundle import Bundle, build_funnel, entries_of
from zoo.core.errors import UserError
from zoo.core.types import Candidates
from zoo.data.store import Store
from zoo.funnel import FeatureJoin

STORE = Store.of(tiny.snapshot())
NAMES = list(dict.fromkeys(entries_of(tiny.STAGES)))


def test_columns_are_added_once_right_before_the_first_scorer() -> None:
    made = build_funnel(tiny.STAGES, {name: tiny.model(name) for name in NAMES}, STORE)
    expected = ["recall", "merge", "exposure", "columns", "prerank", "rank", "fusion", "rerank"]
    assert [name for name, _ in made.stages] == expected


def test_a_ranker_that_was_fitted_on_columns_says_so_in_a_funnel_and_takes_the_mean_alone() -> None:
    schema, _ = rank_data()
    ranker = zoo.create_model("rank/lr", schema).eval()
    stages = [*tiny.STAGES[:3], {"rank": {"entry": "rank/lr"}}]
    models = {name: tiny.model(name) for name in NAMES} | {"rank/lr": ranker}
    assert build_funnel(stages, models, STORE)(request()).ids.any()
    fewer = [{"recall": {"channels": [{"entry": "recall/two_tower", "quota": 5}]}}, *stages[1:]]
    with pytest.raises(
        UserError, match="rank/lr: no stage before it made the columns it reads: item_cf:score, popular:rank"
    ):
        build_funnel(fewer, models, STORE)(request())
    alone = Bundle(STORE, model=ranker).score({"user_id": ["u3"], "item_id": ["i3"]})
    ids = Candidates.of(STORE.encoder.ids("item_id", ["i3"])[:, None])
    batch = FeatureJoin(STORE.catalogue, schema, "watch")(STORE.request(["u3"]), ids)
    means = {feature.name: torch.full((1, 1), feature.mean) for feature in schema.having("column")}
    assert means.keys() == {"item_cf:score", "popular:rank"}
    for name, logits in ranker(batch | means).items():
        assert alone[name] == pytest.approx(logits.sigmoid()[:, 0].tolist())

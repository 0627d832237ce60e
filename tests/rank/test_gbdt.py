"""Boosted trees against LightGBM on a table made by loops."""

from __future__ import annotations

import json
import sys

import lightgbm
import numpy as np
import pytest
import torch

from tests.conformance.setting import fit, prepared, rank_batch, rank_data
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.data.views import CandidateView
from zoo.layers.columns import frequent
from zoo.rank.gbdt import GBDT

SCHEMA, VIEW = rank_data()
PARAMS = {"num_trees": 12, "column_share": 1.0, "num_leaves": 7}


def fitted(view: CandidateView = VIEW, **params: object) -> GBDT:
    model: GBDT = create_model("rank/gbdt", SCHEMA, **(PARAMS | params))
    fit(model, view, batch_size=16)
    prepared(model)
    return model


def by_loop(model: GBDT) -> tuple[np.ndarray, list[int]]:
    """The table of all candidates, with the places of its categories."""
    batch = rank_batch()
    single = [f for f in model.features if f.kind != "multi"]
    rows = []
    for row, place in np.ndindex(*batch["item_id"].shape):
        cells = [batch[f.name][row] if f.request_level else batch[f.name][row, place] for f in single]
        numbers = [
            float(c) if f.kind == "numeric" or c else np.nan for f, c in zip(single, cells, strict=True)
        ]
        genres = batch["genres"][row, place].tolist()
        rows.append([*numbers, *(genres.count(value) for value in (1, 2, 3))])
    categories = [n for n, f in enumerate(single) if f.kind == "categorical" and not f.ordered]
    return np.array(rows, dtype=np.float32), categories


def test_the_logits_are_those_of_lightgbm_on_the_same_rows() -> None:
    model, batch = fitted(), rank_batch()
    assert {f.name for f in model.features} >= {"item_id", "genres", "age", "item_cf:score", "year"}
    assert "user_id" not in {f.name for f in model.features}
    matrix, categories = by_loop(model)
    # Rows come to the model in the order of its batches, which must not matter to where trees split.
    for task, given in (("watch", None), ("like", "watch")):
        known = (batch["item_id"] > 0).flatten().numpy()
        if given:
            known &= batch[f"label:{given}"].flatten().numpy() > 0
        label = batch[f"label:{task}"].flatten().numpy()
        least = max(1, known.sum() // 100)
        options = {"objective": "cross_entropy", "learning_rate": 0.05, "num_leaves": 7, "lambda_l2": 1.0}
        options |= {"min_data_in_leaf": least, "min_data_per_group": least, "cat_smooth": least}
        data = lightgbm.Dataset(matrix[known], label[known], categorical_feature=categories)
        trees = lightgbm.train(options | {"verbosity": -1, "num_threads": 1}, data, 12)
        expected = trees.predict(matrix, raw_score=True)
        found = model(batch)[task].flatten().numpy()
        assert found == pytest.approx(expected, abs=1e-4)
        assert np.std(found[known]) > 0.05


def test_trees_are_text_in_a_buffer_and_the_threads_are_of_no_effect() -> None:
    one, two = fitted(num_threads=1), fitted(num_threads=2)
    for task, logits in one(rank_batch()).items():
        assert two(rank_batch())[task].equal(logits)
    saved = json.loads(one.state_dict()["trees"].numpy().tobytes())
    assert list(saved["trees"]) == ["watch", "like"] and saved["values"] == {"genres": [1, 2, 3]}
    assert saved["trees"]["watch"].startswith("tree\nversion=")


def test_values_are_learned_too() -> None:
    seconds = torch.where(VIEW.candidates["label:watch"] > 0, 9.0, torch.nan)
    candidates = VIEW.candidates | {"label:watch_time": seconds}
    view = CandidateView(VIEW.requests, candidates, VIEW.catalogue)
    model = fitted(view, values={"watch_time": "weighted_logistic"})
    found = model.probabilities(rank_batch())["watch_time"]
    assert found.flatten().tolist() == pytest.approx([9.0] * found.numel(), rel=1e-2)


def test_the_most_frequent_values_get_a_column() -> None:
    ids = torch.tensor([[3, 1], [3, 0], [2, 1], [5, 2]])
    assert frequent(ids, 7, 2).tolist() == [1, 2]
    assert frequent(ids, 7, 9).tolist() == [1, 2, 3, 5]
    assert frequent(torch.zeros(3, 2, dtype=torch.int64), 4, 2).tolist() == []


def test_what_cannot_be_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="not fitted yet"):
        create_model("rank/gbdt", SCHEMA)(rank_batch())
    for params, message in (
        ({"num_trees": 0}, "num_trees: must be at least 1, found 0"),
        ({"shrinkage": 2.0}, "shrinkage: must be above 0 and at most 1"),
        ({"listwise": 0.5}, "listwise: is of models with a gradient"),
    ):
        with pytest.raises(UserError, match=message):
            create_model("rank/gbdt", SCHEMA, **params)
    nobody = VIEW.candidates | {"label:watch": torch.zeros_like(VIEW.candidates["label:watch"])}
    with pytest.raises(UserError, match="'like' is defined in no training row"):
        fitted(CandidateView(VIEW.requests, nobody, VIEW.catalogue))
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(UserError, match=r"needs a missing package: pip install 'funnelzoo\[gbdt\]'"):
        create_model("rank/gbdt", SCHEMA)


def test_it_ranks_a_crowd_to_its_own_half() -> None:
    model, batch = fitted(num_trees=60), rank_batch()
    found, mask = model(batch)["watch"], batch["item_id"] > 0
    labels = batch["label:watch"]
    assert found[mask & (labels > 0)].mean() > found[mask & (labels == 0)].mean() + 0.5

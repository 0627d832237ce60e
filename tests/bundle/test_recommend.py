"""Recommendations in raw ids, from models and funnels that were saved and loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import zoo
from tests import tiny
from tests.conformance.setting import rank_data, request
from zoo.bundle import Bundle, build_funnel, entries_of, save_funnel, save_model
from zoo.core.errors import UserError
from zoo.core.types import Candidates
from zoo.data.store import Store
from zoo.funnel import FeatureJoin
from zoo.training import ZooModel

STORE = Store.of(tiny.snapshot())
NAMES = list(dict.fromkeys(entries_of(tiny.STAGES)))
ITEMS = {f"i{number}" for number in range(tiny.ITEMS)}


def bundle(name: str) -> Bundle:
    return Bundle(STORE, model=tiny.model(name))


def watched(user: str) -> set[str]:
    known = STORE.encoder.ids("user_id", [user])
    seen = STORE.users["seen"][known].flatten()
    return {STORE.encoder.items[item - 1] for item in seen[seen > 0].tolist()}


@pytest.fixture(scope="module")
def funnel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("funnel")
    save_funnel(tiny.STAGES, {name: tiny.model(name) for name in NAMES}, STORE, folder)
    return folder


def test_a_loaded_funnel_recommends_the_same(funnel: Path) -> None:
    models: dict[str, ZooModel] = {name: tiny.model(name) for name in NAMES}
    made = build_funnel(tiny.STAGES, models, STORE)
    loaded = zoo.load_funnel(funnel)
    assert loaded.funnel is not None and [n for n, _ in loaded.funnel.stages] == [n for n, _ in made.stages]
    ours, theirs = made(request()), loaded(request(), 10)
    assert ours.ids.equal(theirs.ids) and ours.scores.equal(theirs.scores) and ours.ids.any()
    assert not list(funnel.rglob("*.tmp"))


def test_columns_are_added_once_right_before_the_first_scorer() -> None:
    made = build_funnel(tiny.STAGES, {name: tiny.model(name) for name in NAMES}, STORE)
    expected = ["recall", "merge", "exposure", "columns", "prerank", "rank", "fusion", "rerank"]
    assert [name for name, _ in made.stages] == expected


@pytest.mark.parametrize(
    "name",
    ["recall/two_tower", "recall/item_cf", "recall/popular", "prerank/three_tower", "rank/lr", "funnel"],
)
def test_everybody_is_recommended_unseen_items(name: str, funnel: Path) -> None:
    served = zoo.load_funnel(funnel) if name == "funnel" else bundle(name)
    known = [found.item_id for found in served.recommend("u3", k=7)]
    assert len(known) == len(set(known)) == 7 and set(known) <= ITEMS - watched("u3")
    scores = [found.score for found in served.recommend("u3", k=7)]
    assert name == "funnel" or scores == sorted(scores, reverse=True)
    assert [found.item_id for found in served.recommend("u3", k=3)] == known[:3]
    nobody = served.recommend("somebody new", k=5)
    assert nobody == served.recommend(None, k=5) == served.recommend(history=[], k=5)
    # Item-based collaborative filtering has nothing to go by without a history.
    assert len(nobody) == (0 if name == "recall/item_cf" else 5)
    bare = [found.item_id for found in served.recommend(history=["i3", "no such item", "i4"], k=5)]
    assert len(bare) == 5 and not {"i3", "i4"} & set(bare)


def test_a_user_without_candidates_gets_an_empty_page() -> None:
    """Only item-based recall, and a history it has nothing to say about."""
    stages = [
        {"recall": {"channels": [{"entry": "recall/item_cf", "quota": 5}]}},
        {"merge": {}},
        *tiny.STAGES[2:],
    ]
    made = Bundle(STORE, funnel=build_funnel(stages, {name: tiny.model(name) for name in NAMES}, STORE))
    assert made.recommend(history=["no such item"]) == [] and len(made.recommend("u3", k=5)) == 5


def test_more_than_there_is_is_all_there_is() -> None:
    everything = bundle("rank/lr").recommend("u3", k=1000)
    assert {found.item_id for found in everything} == ITEMS - watched("u3")
    assert len(bundle("recall/two_tower").recommend("u3", k=1000)) == len(everything)


def test_a_profile_counts() -> None:
    young, old = (bundle("rank/lr").recommend("u3", profile={"age": age}, k=3) for age in (18, 69))
    assert young != old and bundle("rank/lr").recommend("u3", profile={}, k=3) == bundle("rank/lr").recommend(
        "u3", k=3
    )


def test_an_index_is_saved_with_its_model(tmp_path: Path) -> None:
    model = tiny.model("recall/two_tower")
    before = model.index
    try:
        model.index = zoo.index.create_index("hnswlib", metric="cosine", ef_search=77)  # type: ignore[attr-defined]
        save_model(model, STORE, tmp_path)
    finally:
        model.index = before
    loaded = zoo.load_model(tmp_path).model
    assert loaded.index.name == "hnswlib" and loaded.index.options()["ef_search"] == 77  # type: ignore[union-attr]


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

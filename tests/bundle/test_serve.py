"""Recommendations in raw ids."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo
from tests import tiny
from zoo.bundle import Bundle, build_funnel, entries_of, save_funnel
from zoo.data.store import Store

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
    assert len(nobody) == 5
    bare = [found.item_id for found in served.recommend(history=["i3", "no such item", "i4"], k=5)]
    assert len(bare) == 5 and not {"i3", "i4"} & set(bare)


def test_who_has_no_history_is_served_what_is_popular_by_a_model_that_knows_only_histories() -> None:
    snapshot = tiny.snapshot()
    past = snapshot.events.item[snapshot.events.time < snapshot.cut].tolist()
    popular = sorted(range(1, tiny.ITEMS + 1), key=lambda item: (-past.count(item), item))
    items = STORE.encoder.items
    served = bundle("recall/item_cf").recommend("somebody new", k=6)
    assert [found.item_id for found in served] == [items[item - 1] for item in popular[:6]]
    assert {found.score for found in served} == {0.0}
    history = [items[popular[0] - 1], items[popular[2] - 1]]
    unknown = bundle("recall/item_cf").recommend(history=history, k=1000)
    assert {found.item_id for found in unknown} == ITEMS - set(history)


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

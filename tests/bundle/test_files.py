"""What is loaded is what was saved."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

import zoo
from tests import tiny
from tests.conformance.setting import request
from zoo.bundle import build_funnel, entries_of, save_funnel, save_model
from zoo.data.store import Store
from zoo.training import ZooModel

STORE = Store.of(tiny.snapshot())
NAMES = list(dict.fromkeys(entries_of(tiny.STAGES)))


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


def test_an_index_is_saved_with_its_model(tmp_path: Path) -> None:
    model = tiny.model("recall/two_tower")
    before = model.index
    try:
        model.index = zoo.index.create_index("hnswlib", metric="cosine", ef_search=77)
        save_model(model, STORE, tmp_path)
    finally:
        model.index = before
    loaded = zoo.load_model(tmp_path).model
    assert loaded.index.name == "hnswlib" and loaded.index.options()["ef_search"] == 77


@pytest.mark.parametrize("name", ["hnswlib", "faiss"])
def test_a_built_index_is_saved_with_its_model_if_wanted(name: str, tmp_path: Path) -> None:
    model = copy.deepcopy(tiny.model("recall/two_tower"))
    model.index = zoo.index.create_index(name, metric="cosine", ef_search=9)
    model.prepare(STORE.catalogue)
    model.keep_index = True
    save_model(model, STORE, tmp_path)
    loaded = zoo.load_model(tmp_path).model
    assert loaded.index.stats["build_seconds"] == 0 and loaded.keep_index
    assert loaded.search(request(), 9)[0].equal(model.search(request(), 9)[0])
    # An index of other vectors, such as from before the model was trained on, is built again.
    model.index.build(model.vectors[1:].flip(0), torch.arange(1, len(model.vectors)))
    save_model(model, STORE, tmp_path)
    again = zoo.load_model(tmp_path).model
    assert again.index.stats["build_seconds"] > 0
    assert again.search(request(), 9)[0].equal(loaded.search(request(), 9)[0])
    model.keep_index = False
    save_model(model, STORE, tmp_path)
    assert not (tmp_path / "index").exists()

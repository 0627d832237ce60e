"""The cache of the item tower."""

from __future__ import annotations

import torch

from tests import tiny
from tests.conformance.setting import fit, rank_batch, rank_data
from zoo.core.registry import create_model
from zoo.prerank.three_tower import ThreeTower


def fresh() -> ThreeTower:
    torch.manual_seed(0)
    model: ThreeTower = create_model("prerank/three_tower", rank_data()[0])
    return model


def test_with_the_cache_scores_are_the_same() -> None:
    model = fresh().eval()
    plain = model(rank_batch())
    model.prepare(tiny.snapshot().catalogue)
    assert model.cache.shape == (tiny.ITEMS + 1, 16)
    cached = model(rank_batch())
    assert all(torch.allclose(cached[name], plain[name], atol=1e-6) for name in plain)


def test_with_the_cache_the_item_tower_does_not_run() -> None:
    model = fresh().eval()
    model.prepare(tiny.snapshot().catalogue)
    model.item_tower.register_forward_hook(lambda *_: (_ for _ in ()).throw(AssertionError("ran")))
    batch = {name: value for name, value in rank_batch().items() if name not in ("year", "genres")}
    assert model(batch)["watch"].shape == rank_batch()["item_id"].shape


def test_training_makes_the_cache_stale() -> None:
    model = fresh().eval()
    model.prepare(tiny.snapshot().catalogue)
    before = model.item_tower[0].weight.clone()
    fit(model, rank_data()[1], batch_size=16)
    assert not model.cache.numel() and not model.item_tower[0].weight.equal(before)
    assert "cache" not in model.state_dict()

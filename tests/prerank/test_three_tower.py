"""Three towers in numpy, and the cache of the item tower."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests import tiny
from tests.conformance.setting import fit, rank_batch, rank_data
from zoo.core.errors import UserError
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


def test_logits_equal_numpy() -> None:
    """User, item, their product and the cross go through the top to each head."""
    model, batch = fresh().eval(), rank_batch()
    parts = (model.request(batch), model.item(batch), model.cross(batch))
    towers = (model.user_tower, model.item_tower, model.cross_tower)
    inputs = [part.detach().numpy() for part in parts]
    logits = {name: value.detach() for name, value in model(batch).items()}
    for row, place in ((0, 0), (2, 3), (5, 1)):
        user = mlp(model.user_tower, inputs[0][row], last_is_linear=False)
        item, cross = (mlp(t, x[row, place], True) for t, x in zip(towers[1:], inputs[1:], strict=True))
        top = mlp(model.top, np.concatenate([user, item, user * item, cross]), last_is_linear=False)
        for name, head in model.heads.items():
            expected = head.weight.detach().numpy() @ top + head.bias.detach().numpy()
            assert logits[name][row, place].item() == pytest.approx(float(expected[0]), abs=1e-4)


def test_a_user_tower_sees_no_candidate() -> None:
    with pytest.raises(UserError, match=r"history.*kind din looks at each candidate.*lastn_mean"):
        create_model("prerank/three_tower", rank_data()[0], history={"kind": "din"})
    with pytest.raises(UserError, match=r"no history of behaviour 'lik' \(did you mean 'like'\?\)"):
        behaviours = {"kind": "lastn_mean", "behaviours": ["lik"]}
        create_model("prerank/three_tower", rank_data()[0], history=behaviours)


def mlp(layers: torch.nn.Sequential, x: np.ndarray, last_is_linear: bool) -> np.ndarray:
    linears = [layer for layer in layers if isinstance(layer, torch.nn.Linear)]
    for number, linear in enumerate(linears, 1):
        x = linear.weight.detach().numpy() @ x + linear.bias.detach().numpy()
        x = x if last_is_linear and number == len(linears) else np.maximum(x, 0)
    return x

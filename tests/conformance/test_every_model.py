"""What holds for every model, whatever its stage."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from tests import tiny
from tests.conformance.setting import Case, fit, fitted, models, prepared, scores
from zoo.bundle import load_model, save_model
from zoo.data.store import Store
from zoo.training import CollectingRankModel, CountingModel, ZooModel


def weights(model: ZooModel) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@models("recall", "prerank", "rank")
def test_one_step_trains(case: Case) -> None:
    model = case.fresh()
    before = weights(model)
    fit(model, case.view(model), steps=1, batch_size=64)
    learned = dict(model.named_parameters()) or weights(model)
    for name, value in learned.items():
        assert value.isfinite().all(), name
        assert not value.equal(before[name]), f"{name} did not change"


@models("recall", "prerank", "rank")
def test_every_parameter_gets_a_gradient(case: Case) -> None:
    model = case.fresh()
    if isinstance(model, CountingModel | CollectingRankModel):
        assert not list(model.parameters())
        return
    view = case.view(model)
    model.train().loss(view.batch(torch.arange(len(view)))).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


@models()
def test_scores_are_the_same_after_saving_and_loading(case: Case, tmp_path: Path) -> None:
    model = fitted(case)
    save_model(model, Store.of(tiny.snapshot()), tmp_path)
    bundle = load_model(tmp_path)
    assert type(bundle.model) is type(model) and not bundle.model.training
    assert dict(bundle.model.hparams) == dict(model.hparams) and bundle.model.schema == model.schema
    for ours, theirs in zip(scores(model, case), scores(bundle.model, case), strict=True):
        assert ours.equal(theirs)


@models()
def test_a_saved_model_is_json_safetensors_and_a_card(case: Case, tmp_path: Path) -> None:
    save_model(fitted(case), Store.of(tiny.snapshot()), tmp_path)
    for file in tmp_path.iterdir():
        assert file.suffix in {".json", ".safetensors", ".md"}, file
        # Neither a pickle nor a zip archive, which is what torch.save writes.
        assert not file.read_bytes().startswith((b"\x80", b"PK")), file


@models("recall", "prerank", "rank")
def test_the_same_seed_is_the_same_model(case: Case) -> None:
    model = case.fresh(seed=3)
    fit(model, case.view(model), batch_size=64)
    same = case.fresh(seed=3)
    fit(same, case.view(same), batch_size=64)
    assert all(value.equal(weights(same)[name]) for name, value in weights(model).items())
    if list(model.parameters()):
        batch = case.view(model).batch(torch.arange(32))
        losses = [made.eval().loss(batch).item() for made in (case.fresh(3), case.fresh(3), case.fresh(4))]
        assert losses[0] == losses[1] != losses[2]


@models("recall", "prerank", "rank")
def test_a_loaded_model_can_be_fitted_further(case: Case, tmp_path: Path) -> None:
    """From eval mode, and with whatever it keeps for serving."""
    fitted(case).save_pretrained(tmp_path)
    model = prepared(ZooModel.from_pretrained(tmp_path))
    before = weights(model)
    fit(model, case.view(model), batch_size=64)
    for name, parameter in model.named_parameters():
        assert not parameter.equal(before[name]), name
    again, fresh = copy.deepcopy(prepared(model)), case.fresh()
    fresh.load_weights(model.state_dict())
    for ours, theirs in zip(scores(prepared(fresh), case), scores(again, case), strict=True):
        assert ours.equal(theirs)


@models("recall")
def test_counting_again_or_for_longer_changes_nothing(case: Case) -> None:
    model = case.fresh()
    if not isinstance(model, CountingModel):
        pytest.skip("learns by gradient")
    fit(model, case.view(model), batch_size=64)
    once = weights(model)
    fit(model, case.view(model), batch_size=7, max_epochs=3)
    assert all(torch.allclose(value, once[name]) for name, value in weights(model).items())

"""Divergence, weights that do not fit, damaged folders, and Lightning's own checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from tests import tiny
from tests.conformance.setting import Case, fit, fitted, models, prepared, rank_data, scores
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.data.module import ViewData
from zoo.training import TrainingDiverged, ZooModel

RANK = Case("rank/lr")
ITEM_CF = Case("recall/item_cf")


def test_a_loss_that_is_not_finite_stops_training(monkeypatch: pytest.MonkeyPatch) -> None:
    model = RANK.fresh()
    monkeypatch.setattr(model, "loss", lambda batch: next(model.parameters()).sum() * torch.inf)
    with pytest.raises(TrainingDiverged, match=r"^loss is (nan|-?inf) at step 0 \(lr 0.001\)$"):
        fit(model, rank_data()[1])


@pytest.mark.parametrize("which", [0, -1])
def test_weights_that_leave_in_the_last_step_are_found(which: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = RANK.fresh()
    weight = list(model.parameters())[which]
    # Finite, with a gradient that is not: the root at 0 is infinitely steep.
    monkeypatch.setattr(model, "loss", lambda batch: (weight * 0).abs().sqrt().sum())
    with pytest.raises(TrainingDiverged, match=r"^the largest weight is nan at step 1 \(lr 0.001\)$"):
        fit(model, rank_data()[1], batch_size=1000)


def test_a_huge_learning_rate_diverges() -> None:
    model = Case("rank/dcn_v2").fresh()
    with pytest.raises(TrainingDiverged):
        fit(model, rank_data()[1], max_epochs=20, lr=1e30, optimizer="sgd")


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "adagrad"])
def test_every_optimizer_lowers_the_loss(optimizer: str) -> None:
    model, batch = RANK.fresh(), rank_data()[1].batch(torch.arange(8))
    before = model.loss(batch).item()
    fit(model, rank_data()[1], max_epochs=5, lr=0.05, optimizer=optimizer, weight_decay=1e-4, grad_clip=1.0)
    assert model.loss(batch).item() < before


@pytest.mark.parametrize(
    ("case", "name", "change", "message"),
    [
        (RANK, "request.watch.sum.weight", lambda x: x[:, :2], "size mismatch for request.watch.sum.weight"),
        (RANK, "request.watch.sum.weight", lambda x: None, "Missing key"),
        (Case("recall/popular"), "counts", lambda x: x[:5], "size mismatch for counts"),
        (ITEM_CF, "offsets", lambda x: x[:5], "size mismatch for offsets"),
    ],
    ids=["shape", "missing", "counts", "offsets"],
)
def test_weights_that_do_not_fit_are_one_line(case: Case, name: str, change: object, message: str) -> None:
    weights = {**fitted(case).state_dict(), name: change(fitted(case).state_dict()[name])}
    weights = {key: value for key, value in weights.items() if value is not None}
    with pytest.raises(UserError) as error:
        case.fresh().load_weights(weights)
    told = str(error.value)
    assert told.startswith(f"{case.name}: weights do not fit (") and message in told and "\n" not in told


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "schema.json"])
def test_a_damaged_or_missing_file_is_one_line(tmp_path: Path, file: str) -> None:
    fitted(RANK).save_pretrained(tmp_path)
    whole = (tmp_path / file).read_bytes()
    for damage in (whole[:-9], b"", b"{}", b"[]", None):
        (tmp_path / file).unlink(missing_ok=True)
        if damage is not None:
            (tmp_path / file).write_bytes(damage)
        with pytest.raises(UserError) as error:
            ZooModel.from_pretrained(tmp_path)
        assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_an_option_that_the_model_does_not_know_is_told(tmp_path: Path) -> None:
    fitted(RANK).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["params"]["listwisee"] = config["params"].pop("listwise")
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="did you mean 'listwise'"):
        ZooModel.from_pretrained(tmp_path)


def test_a_card_is_kept_or_made(tmp_path: Path) -> None:
    fitted(RANK).save_pretrained(tmp_path, card="# Mine\n")
    assert (tmp_path / "README.md").read_text() == "# Mine\n"
    fitted(RANK).save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text().startswith("# rank/lr\n\nLogistic regression")
    assert not list(tmp_path.glob("*.tmp"))


@models("recall", "rank")
def test_lightnings_checkpoints_work(case: Case, tmp_path: Path) -> None:
    trained = case.fresh()
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(trained, datamodule=ViewData(case.view(trained), 64))
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    again = case.fresh(seed=9)
    more = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False,
    )  # fmt: skip
    more.fit(again, datamodule=ViewData(case.view(again), 64), ckpt_path=tmp_path / "end.ckpt")
    for ours, theirs in zip(scores(prepared(trained), case), scores(prepared(again), case), strict=True):
        assert ours.equal(theirs)


def test_a_model_says_what_has_no_loss() -> None:
    reranker = create_model("rerank/mmr", tiny.snapshot().schema)
    with pytest.raises(NotImplementedError, match="rerank/mmr has nothing to fit by gradient"):
        reranker.loss({})

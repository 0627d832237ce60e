from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import fit as module
from benchmarks.fit import Artifacts, fit, new_model
from tests import tiny
from zoo.training import TrainingDiverged


def test_an_artifact_is_made_once_for_each_recipe(tmp_path: Path) -> None:
    artifacts, made = Artifacts(tmp_path), []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "x").write_text("content")

    first, again = artifacts.folder({"a": 1, "b": 2}, make), artifacts.folder({"b": 2, "a": 1}, make)
    assert first == again and len(made) == 1 and (first / "x").read_text() == "content"
    assert artifacts.folder({"a": 2}, make) != first


def test_what_was_made_by_other_code_is_made_anew(tmp_path: Path, monkeypatch) -> None:
    old = Artifacts(tmp_path).folder({}, lambda folder: None)
    monkeypatch.setattr(module, "code_hash", lambda: "other")
    assert Artifacts(tmp_path).folder({}, lambda folder: None) != old


def test_nothing_is_kept_of_an_artifact_that_failed(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        Artifacts(tmp_path).folder({}, fail)
    assert not list(tmp_path.iterdir())


def test_who_is_slower_takes_what_the_faster_made(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module.os, "getpid", lambda: threading.get_ident())
    artifacts, inside, folders = Artifacts(tmp_path), threading.Barrier(2), []

    def make(folder: Path) -> None:
        (folder / "x").write_text("same")
        inside.wait(10)

    threads = [threading.Thread(target=lambda: folders.append(artifacts.folder({}, make))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders[0] == folders[1] and [path.name for path in tmp_path.iterdir()] == [folders[0].name]


def test_a_learning_rate_of_a_billion_is_reported_as_diverged() -> None:
    schema, data = tiny.rank_data()
    entry = {"model": "rank/dcn_v2", "params": {}, "fit": {"lr": 1e9, "batch_size": 8, "max_epochs": 3}}
    with pytest.raises(TrainingDiverged, match="lr 1e\\+09"):
        fit(new_model(entry, schema, 0), data, 0)


def test_the_seed_decides_the_weights() -> None:
    schema, data = tiny.rank_data()
    entry = {"model": "rank/lr", "params": {}, "fit": {"batch_size": 8}}
    weights = [fit(new_model(entry, schema, seed), data, seed).state_dict() for seed in (0, 0, 1)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert any(not torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


def test_the_fit_config_is_the_entrys() -> None:
    model = new_model({"model": "rank/lr", "params": {}, "fit": {"lr": 0.5}}, tiny.rank_data()[0], 0)
    assert model.fit_config == replace(model.fit_config, lr=0.5)

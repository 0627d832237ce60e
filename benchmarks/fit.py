"""Fits models with Lightning's `Trainer`, and keeps them so that no run fits the same model twice."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from benchmarks.memory import kept_memory
from zoo.core.check import check
from zoo.core.config import FitConfig
from zoo.core.registry import create_model
from zoo.core.schema import Schema
from zoo.core.yaml import Node
from zoo.data.module import ViewData
from zoo.data.views import View
from zoo.training import ZooModel


@dataclass(frozen=True)
class Artifacts:
    """Folders by the hash of what they were made from, each complete or absent.

    Attributes:
        root: Where they are.
    """

    root: Path

    def folder(self, recipe: Mapping[str, Any], make: Callable[[Path], None]) -> Path:
        """The folder made by this recipe, now or earlier.

        Args:
            recipe: Plain JSON of all that the content depends on, but for the code, which is added here.
            make: Fills an empty folder; if it fails, nothing is kept.
        """
        text = json.dumps({**recipe, "code": code_hash()}, sort_keys=True)
        final = self.root / hashlib.sha256(text.encode()).hexdigest()[:24]
        if final.exists():
            return final
        working = self.root / f"{final.name}.{os.getpid()}.tmp"
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir(parents=True)
        try:
            make(working)
            (working / "recipe.json").write_text(text)
            try:
                working.rename(final)
            except OSError:  # another process was faster with the same content
                if not final.exists():
                    raise
        finally:
            shutil.rmtree(working, ignore_errors=True)
        return final


@cache
def code_hash() -> str:
    """Hash of the sources that fitted models and candidates depend on, so that none outlives a change."""
    root = Path(__file__).parents[1]
    names = ("candidates", "components", "fit", "hard", "parts", "shown", "splits", "world")
    own = [root / "benchmarks" / f"{name}.py" for name in names]
    digest = hashlib.sha256()
    for file in sorted([*(root / "zoo").rglob("*.py"), *own]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def new_model(entry: Mapping[str, Any], schema: Schema, seed: int) -> ZooModel:
    """A fresh model of a resolved entry, initialised from the seed."""
    pl.seed_everything(seed, verbose=False)
    model: ZooModel = create_model(entry["model"], schema, **entry["params"])
    model.fit_config = check(Node.of(entry["fit"], f"{entry['model']}.fit"), FitConfig)
    return model


def fit(model: ZooModel, view: View, seed: int) -> ZooModel:
    """Fits a model as its `fit_config` says; in eval mode afterwards.

    Raises:
        TrainingDiverged: The loss or a weight left the finite numbers.
    """
    config = model.fit_config
    with quiet(), kept_memory():
        trainer = pl.Trainer(
            max_epochs=config.max_epochs,
            gradient_clip_val=config.grad_clip,
            accelerator="auto",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, datamodule=ViewData(view, config.batch_size, seed))
    return model.cpu().eval()


class quiet:
    """Keeps Lightning's banners and advice off the terminal, which belongs to the harness."""

    def __enter__(self) -> None:
        self._caught = warnings.catch_warnings()
        self._caught.__enter__()
        warnings.simplefilter("ignore")
        self._loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch")]
        self._levels = [logger.level for logger in self._loggers]
        for logger in self._loggers:
            logger.setLevel(logging.ERROR)

    def __exit__(self, *error: object) -> None:
        for logger, level in zip(self._loggers, self._levels, strict=True):
            logger.setLevel(level)
        self._caught.__exit__(None, None, None)

"""Keeping a fitted model up to date with what happened since, without fitting it from scratch.

A full update goes once over the new events in random order and moves every weight, as once a night. An
incremental one follows them in time and moves only the embeddings of IDs, as every few minutes: what a dense
layer does to all items cannot be learned from the last few events. Either is published on its own: a full one
as a whole model by `save_pretrained`, the other as ID tables alone by `save_ids`, to be laid over that model.

After either, `prepare` encodes the items anew. For new users and items `zoo.training.grow` makes room first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from zoo.core.config import FitConfig
from zoo.core.errors import UserError
from zoo.core.types import Batch
from zoo.losses import StreamingFrequency
from zoo.training.retrieval import EmbeddingRetrieval


def full_update(model: EmbeddingRetrieval, data: pl.LightningDataModule) -> None:
    """One epoch from the present weights; in eval mode afterwards.

    Args:
        model: As it was published last.
        data: The new events, shuffled: `ViewData(since(view, yesterday), batch_size, seed)`.

    Raises:
        TrainingDiverged: The loss or a weight left the finite numbers.
    """
    _train(model, data, replace(model.fit_config, max_epochs=1))


def incremental_update(
    model: EmbeddingRetrieval, data: pl.LightningDataModule, lr: float | None = None
) -> None:
    """One pass in which ID embeddings alone move; in eval mode afterwards.

    All other weights are the same to the bit, and so is every ID that occurs in no batch. Dropout and
    self-supervision are off; the estimate of how often items occur goes on.

    Args:
        model: As it was published last.
        data: The new events in the order of time: `ViewData(since(view, yesterday), batch_size, seed=None)`.
        lr: Learning rate, by default that of the fit.

    Raises:
        UserError: The model has no ID embeddings.
        TrainingDiverged: The loss or a weight left the finite numbers.
    """
    moving = {id(table.weight) for table in _tables(model).values()}
    # A decay would move what no event speaks of.
    config = replace(model.fit_config, max_epochs=1, weight_decay=0.0, lr=lr or model.fit_config.lr)
    with _frozen([weight for weight in model.parameters() if id(weight) not in moving]):
        _train(model, data, config, [_Still()])


def save_ids(model: EmbeddingRetrieval, file: str | Path) -> None:
    """Writes the ID tables alone, as safetensors: what an incremental update publishes."""
    file = Path(file)
    temporary = file.with_name(file.name + ".tmp")
    save_file({name: table.weight.detach().contiguous() for name, table in _tables(model).items()}, temporary)
    os.replace(temporary, file)


def load_ids(model: EmbeddingRetrieval, file: str | Path) -> None:
    """Lays ID tables over a model; call `prepare` before serving.

    Raises:
        UserError: The file cannot be read, or is of a model with other tables.
    """
    try:
        saved = load_file(file)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{file}: no ID tables ({error})") from error
    tables = _tables(model)
    shapes = [{name: tuple(x.shape) for name, x in side.items()} for side in (saved, _weights(model))]
    if shapes[0] != shapes[1]:
        raise UserError(f"{file}: expected ID tables {shapes[1]}, found {shapes[0]}")
    with torch.no_grad():
        for name, table in tables.items():
            table.weight.copy_(saved[name])


class _Still(pl.Callback):
    """Keeps every layer as when serving, but for the estimate of frequencies, which follows the stream."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.eval()
        for module in pl_module.modules():
            if isinstance(module, StreamingFrequency):
                module.train()


def _train(
    model: EmbeddingRetrieval,
    data: pl.LightningDataModule,
    config: FitConfig,
    callbacks: list[pl.Callback] | None = None,
) -> None:
    before, model.fit_config = model.fit_config, config
    try:
        trainer = pl.Trainer(
            max_epochs=1,
            gradient_clip_val=config.grad_clip,
            accelerator="auto",
            devices=1,
            logger=False,
            callbacks=callbacks,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, datamodule=data)
    finally:
        model.fit_config = before
    model.cpu().eval()


@contextmanager
def _frozen(weights: list[torch.nn.Parameter]) -> Iterator[None]:
    learned = [weight for weight in weights if weight.requires_grad]
    try:
        for weight in learned:
            weight.requires_grad_(False)
        yield
    finally:
        for weight in learned:
            weight.requires_grad_(True)


def _tables(model: EmbeddingRetrieval) -> dict[str, torch.nn.Embedding]:
    tables = model.id_tables()
    if not tables:
        raise UserError(f"{model.registry_name}: has no ID embeddings to update")
    return tables


def _weights(model: EmbeddingRetrieval) -> Batch:
    return {name: table.weight for name, table in model.id_tables().items()}

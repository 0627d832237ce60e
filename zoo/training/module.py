"""`ZooModel`: what all models share, from the schema they are built for to the files they are saved in."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, ClassVar, Self

import pytorch_lightning as pl
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from zoo.core.config import FitConfig, ModelConfig
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.training.optim import make_optimizer

BLOWN_UP = 1e6
"""No weight of a model that learns gets near; losses of cosines stay finite however large the weights."""


class TrainingDiverged(RuntimeError):
    """The loss or a weight is no longer a finite number, or a weight has blown up."""


class ZooModel(pl.LightningModule):
    """A model of one funnel stage.

    Args:
        schema: What it needs to know about the data.
        config: Its hyper-parameters.

    Attributes:
        fit_config: How it is trained; set it before `Trainer.fit`.
        cost: What training took, for who keeps account of it.
    """

    Config: ClassVar[type[ModelConfig]] = ModelConfig
    registry_name: ClassVar[str] = ""
    stage: ClassVar[str] = ""

    def __init__(self, schema: Schema, config: ModelConfig) -> None:
        super().__init__()
        self.schema = schema
        self.fit_config = FitConfig()
        self.cost: dict[str, float] = {}
        self.save_hyperparameters({"model": self.registry_name, "params": dataclasses.asdict(config)})

    def prepare(self, catalogue: Batch) -> None:
        """Computes what depends on weights and items only; call after fitting or loading, before serving.

        Args:
            catalogue: Features of all items, `(n_items + 1, …)`, row 0 for padding.
        """

    def attach_catalogue(self, catalogue: Batch) -> None:
        """Gives a model that learns from items as such the features of all, `(n_items + 1, …)`.

        `Trainer.fit` with a `ViewData` does so before the first step.
        """

    def loss(self, batch: Batch) -> Tensor:
        """The scalar that `Trainer.fit` minimises."""
        raise NotImplementedError(f"{self.registry_name} has nothing to fit by gradient")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """One step.

        Raises:
            TrainingDiverged: The loss is not finite.
        """
        loss = self.loss(batch)
        if not loss.isfinite():
            place = f"step {self.global_step} (lr {self.fit_config.lr:g})"
            raise TrainingDiverged(f"loss is {loss.item()} at {place}")
        return loss

    def on_train_start(self) -> None:
        """Lightning leaves a model in the mode it is in, and a loaded one is in eval mode."""
        self.train()
        # A trainer that was given bare batches has none, and most models need none.
        if catalogue := getattr(getattr(self.trainer, "datamodule", None), "catalogue", None):
            self.attach_catalogue(catalogue)

    def on_train_epoch_end(self) -> None:
        """Checks the weights, also after the very last step.

        Raises:
            TrainingDiverged: A weight is not finite, or has blown up.
        """
        peaks = [weight.detach().abs().max() for weight in self.parameters()]
        # Torch's maximum, as NaN passes by Python's unless it comes first.
        largest = float(torch.stack(peaks).max()) if peaks else 0.0
        if not largest <= BLOWN_UP:
            place = f"step {self.global_step} (lr {self.fit_config.lr:g})"
            raise TrainingDiverged(f"the largest weight is {largest:.3g} at {place}")

    def configure_optimizers(self) -> Any:
        """The optimizer of `fit_config`."""
        return make_optimizer(self, self.fit_config)

    def save_pretrained(self, folder: str | Path, card: str = "") -> None:
        """Writes `model.safetensors`, `config.json`, `schema.json` and the card `README.md` to `folder`.

        Each file is complete or absent; `config.json`, which makes the folder a model, comes last.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(weights, folder / "model.safetensors.tmp")
        os.replace(folder / "model.safetensors.tmp", folder / "model.safetensors")
        write_text(folder / "schema.json", self.schema.to_json())
        write_text(folder / "README.md", card or f"# {self.registry_name}\n\n{type(self).__doc__}\n")
        self.save_extra(folder)
        write_text(folder / "config.json", json.dumps(dict(self.hparams), indent=1))

    def save_extra(self, folder: Path) -> None:
        """Writes what a kind of model keeps besides weights."""

    def load_extra(self, folder: Path) -> None:
        """Reads what `save_extra` wrote; raises `OSError` or `ValueError` if it cannot."""

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """The model saved in `folder`, in eval mode; call `prepare` before serving.

        Raises:
            UserError: A file is missing or does not fit.
        """
        folder = Path(folder)
        try:
            config = json.loads((folder / "config.json").read_text())
            schema = Schema.from_json((folder / "schema.json").read_text())
            weights = load_file(folder / "model.safetensors")
            model = create_model(config["model"], schema, **config["params"])
            model.load_extra(folder)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError, UserError) as error:
            raise UserError(f"{folder}: not a saved model ({error})") from error
        model.load_weights(weights)
        return model.eval()

    def load_weights(self, weights: Batch) -> None:
        """Loads a state dict, buffers whose size only fitting decides included.

        Raises:
            UserError: Names or shapes do not fit.
        """
        self._make_room(weights)
        try:
            self.load_state_dict(weights)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise UserError(f"{self.registry_name}: weights do not fit ({reason})") from None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Lets Lightning load a checkpoint of a fitted model into a fresh one."""
        self._make_room(checkpoint["state_dict"])

    def _make_room(self, weights: Batch) -> None:
        """Buffers whose size only fitting decides start out empty; all others must fit as they are."""
        modules = dict(self.named_modules())
        for name, value in weights.items():
            owner, _, leaf = name.rpartition(".")
            buffers = modules[owner]._buffers if owner in modules else {}
            buffer = buffers.get(leaf)
            if buffer is not None and not buffer.numel():
                buffers[leaf] = torch.empty_like(value, device=buffer.device)


def write_text(path: Path, text: str) -> None:
    """Writes a file that is complete or absent."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    os.replace(temporary, path)

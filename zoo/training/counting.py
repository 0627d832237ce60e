"""The base of models that count instead of descending a gradient."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from zoo.core.config import ModelConfig
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.training.retrieval import RetrievalModel


class CountingModel(RetrievalModel):
    """Counts in one pass over user histories, so `Trainer.fit` and files work as for every other model.

    A training batch holds all events of B users: `user_id` `(B,)`, `history:<behaviour>` `(B, L)` item ids
    and `age:<behaviour>` `(B, L)` days before the cut, newest first.
    """

    def __init__(self, schema: Schema, config: ModelConfig) -> None:
        super().__init__(schema, config)
        self.automatic_optimization = False

    @abstractmethod
    def start(self) -> None:
        """Forgets what was counted before, so that fitting again, or for more epochs, changes nothing."""

    @abstractmethod
    def count(self, batch: Batch) -> None:
        """Adds the users of a batch."""

    @abstractmethod
    def finish(self) -> None:
        """Turns the counts into the buffers that scoring uses."""

    def on_train_epoch_start(self) -> None:
        """Starts afresh."""
        self.start()

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Counts a batch."""
        self.count(batch)

    def on_train_end(self) -> None:
        """Finishes the counts."""
        self.finish()

    def configure_optimizers(self) -> Any:
        """None: there is nothing to optimise."""
        return None

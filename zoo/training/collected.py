"""The base of rank models that need all rows at once instead of descending a gradient."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.training.rank import RankConfig, RankModel


class CollectingRankModel(RankModel):
    """Keeps what it needs of every batch of an epoch, and is fitted when training ends.

    So `Trainer.fit` and files work as for every other rank model; more epochs than one change nothing.
    """

    def __init__(self, schema: Schema, config: RankConfig) -> None:
        super().__init__(schema, config)
        self.automatic_optimization = False

    @abstractmethod
    def start(self) -> None:
        """Forgets the rows of an earlier epoch."""

    @abstractmethod
    def collect(self, batch: Batch) -> None:
        """Keeps what it needs of a batch."""

    @abstractmethod
    def finish(self) -> None:
        """Fits what was collected, and forgets it."""

    def on_train_epoch_start(self) -> None:
        """Starts afresh."""
        self.start()

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Collects a batch."""
        self.collect(batch)

    def on_train_end(self) -> None:
        """Fits."""
        self.finish()

    def configure_optimizers(self) -> Any:
        """None: there is nothing to optimise."""
        return None

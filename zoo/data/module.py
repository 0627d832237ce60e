"""The bridge from a view to Lightning's `Trainer`."""

from __future__ import annotations

import pytorch_lightning as pl
from torch import Tensor

from zoo.data.views import BatchLoader, View


class ViewData(pl.LightningDataModule):
    """Feeds one view to `Trainer.fit`.

    Args:
        view: The rows to train on.
        batch_size: Rows a batch.
        seed: Of the order of the rows.
    """

    def __init__(self, view: View, batch_size: int, seed: int = 0) -> None:
        super().__init__()
        self.loader = BatchLoader(view, batch_size, seed)

    @property
    def pairs(self) -> tuple[Tensor, Tensor] | None:
        """User row and item of every event that is learned from, where the view knows them."""
        return getattr(self.loader.view, "pairs", None)

    def train_dataloader(self) -> BatchLoader:
        """The shuffled batches."""
        return self.loader

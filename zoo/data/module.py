"""The bridge from a view to Lightning's `Trainer`."""

from __future__ import annotations

import pytorch_lightning as pl

from zoo.data.views import BatchLoader, HistoryView, View


class ViewData(pl.LightningDataModule):
    """Feeds one view to `Trainer.fit`.

    Args:
        view: The rows to train on.
        batch_size: Rows a batch.
        seed: Of the order of the rows.
    """

    def __init__(self, view: View, batch_size: int, seed: int = 0) -> None:
        super().__init__()
        # Who counts does not care for order, and users with like many events make the least padding.
        self.loader = BatchLoader(view, batch_size, None if isinstance(view, HistoryView) else seed)

    def train_dataloader(self) -> BatchLoader:
        """The batches, shuffled where models learn from one after another."""
        return self.loader

"""The bridge from a view to Lightning's `Trainer`."""

from __future__ import annotations

import pytorch_lightning as pl

from zoo.core.types import Batch
from zoo.data.views import BatchLoader, View


class ViewData(pl.LightningDataModule):
    """Feeds one view to `Trainer.fit`.

    Args:
        view: The rows to train on.
        batch_size: Rows a batch.
        seed: Of the order of the rows; None keeps it.
    """

    def __init__(self, view: View, batch_size: int, seed: int | None = 0) -> None:
        super().__init__()
        self.loader = BatchLoader(view, batch_size, seed)

    @property
    def catalogue(self) -> Batch | None:
        """Features of all items, `(n_items + 1, …)`, where the view knows them."""
        return _catalogue(self.loader.view)

    def train_dataloader(self) -> BatchLoader:
        """The batches."""
        return self.loader


def _catalogue(view: object) -> Batch | None:
    """What a view knows of all items, or the view that it wraps."""
    known = getattr(view, "catalogue", None) or getattr(getattr(view, "snapshot", None), "catalogue", None)
    inner = getattr(view, "view", None)
    return known if known is not None or inner is None else _catalogue(inner)

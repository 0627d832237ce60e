"""The bridge from a view to Lightning's `Trainer`."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from zoo.core.types import Batch
from zoo.data.views import BatchLoader, HistoryView, View


class ViewData(pl.LightningDataModule):
    """Feeds one view to `Trainer.fit`.

    Args:
        view: The rows to train on.
        batch_size: Rows a batch.
        seed: Of the order of the rows; None keeps it.
    """

    def __init__(self, view: View, batch_size: int, seed: int | None = 0) -> None:
        super().__init__()
        # Who counts does not care for order, and users with like many events make the least padding.
        self.loader = BatchLoader(view, batch_size, None if isinstance(view, HistoryView) else seed)

    @property
    def catalogue(self) -> Batch | None:
        """Features of all items, `(n_items + 1, …)`, where the view knows them."""
        catalogue: Batch | None = _known(self.loader.view, "catalogue")
        return catalogue

    @property
    def pairs(self) -> tuple[Tensor, Tensor] | None:
        """User row and item of every event that is learned from, where the view knows them."""
        pairs: tuple[Tensor, Tensor] | None = _known(self.loader.view, "pairs")
        return pairs

    def train_dataloader(self) -> BatchLoader:
        """The batches, shuffled where models learn from one after another."""
        return self.loader


def _known(view: object, name: str) -> Any:
    """What a view or its snapshot knows, else the view that it wraps; None if none does."""
    while view is not None:
        for owner in (view, getattr(view, "snapshot", None)):
            if (found := getattr(owner, name, None)) is not None:
                return found
        view = getattr(view, "view", None)
    return None

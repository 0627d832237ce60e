"""The bridge from a view to Lightning's `Trainer`."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

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
        catalogue: Batch | None = _known(self.loader.view, "catalogue")
        return catalogue

    @property
    def pairs(self) -> tuple[Tensor, Tensor] | None:
        """User row and item of every event that is learned from, where the view knows them."""
        pairs: tuple[Tensor, Tensor] | None = _known(self.loader.view, "pairs")
        return pairs

    def train_dataloader(self) -> BatchLoader:
        """The batches."""
        return self.loader


def _known(view: object, name: str) -> Any:
    """What a view knows, else its snapshot or the view that it wraps; None if none does."""
    if view is None:
        return None
    own = getattr(view, name, None)
    inner = (getattr(view, part, None) for part in ("snapshot", "view"))
    return (
        own
        if own is not None
        else next((x for x in (_known(one, name) for one in inner) if x is not None), None)
    )

"""What the peers of `benchmarks.speed.click_quality` share: rows in slices, training, and what is told.

Rows come as slices of tensors, not through the peers' loaders, which would take most of the time.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from stopping import Stopper
from torch import Tensor, nn

Batch = dict[str, Tensor]


class Part:
    """The rows for training, validation or the test.

    Args:
        folder: Where its file is.
        name: Of the part.
        batch_size: Rows of a batch.
    """

    def __init__(self, folder: Path, name: str, batch_size: int) -> None:
        with np.load(folder / f"{name}.npz") as file:
            self.columns = {key: torch.from_numpy(file[key]) for key in file.files}
        self.rows, self.batch_size = len(next(iter(self.columns.values()))), batch_size

    def batches(self, shuffled: bool = False) -> Iterator[Batch]:
        """Each row once."""
        order = torch.randperm(self.rows) if shuffled else torch.arange(self.rows)
        for index in order.split(self.batch_size):
            yield {key: column[index] for key, column in self.columns.items()}


class Race:
    """One trial, by the command line: folder of the rows, name of the model, its numbers in JSON."""

    def __init__(self) -> None:
        self.folder, self.name = Path(sys.argv[1]), sys.argv[2]
        self.trial: dict[str, Any] = json.loads(sys.argv[3])
        self.sizes: dict[str, Any] = json.loads((self.folder / "sizes.json").read_text())
        self.task = self.sizes["tasks"][0]
        parts = ("train", "validation", "test")
        self.train, self.validation, self.test = (
            Part(self.folder, part, self.sizes["batch_size"]) for part in parts
        )
        torch.manual_seed(self.trial["seed"])

    def run(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        epoch: Callable[[Iterator[Batch]], object],
        predict: Callable[[Batch], Tensor],
    ) -> None:
        """Trains, writes the probabilities of the test rows, and prints how it went.

        Args:
            model: To train.
            optimizer: Of the model.
            epoch: The peer's own pass over batches.
            predict: `(B,)` or `(B, 1)` probabilities.
        """
        stopper, seconds = Stopper(model, optimizer, self.sizes["patience"]), 0.0
        labels = self.validation.columns[self.task].numpy()
        for _ in range(self.sizes["epochs"]):
            started = time.process_time()
            epoch(self.train.batches(shuffled=True))
            seconds += time.process_time() - started
            if stopper.ends(float(roc_auc_score(labels, _predicted(model, self.validation, predict)))):
                break
        stopper.restore()
        np.save(self.folder / "predicted.npy", _predicted(model, self.test, predict))
        found = {"validation_auc": stopper.best, "epoch": stopper.epoch, "seconds": seconds}
        print("\n" + json.dumps(found))


@torch.no_grad()
def _predicted(model: nn.Module, part: Part, predict: Callable[[Batch], Tensor]) -> Any:
    model.eval()
    return torch.cat([predict(batch).flatten() for batch in part.batches()]).numpy()

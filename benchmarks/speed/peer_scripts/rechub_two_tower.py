"""torch-rechub's side of `benchmarks.speed two_tower`: DSSM by `MatchTrainer` with in-batch negatives."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch_rechub.basic.features import SequenceFeature, SparseFeature
from torch_rechub.models.matching import DSSM
from torch_rechub.trainers import MatchTrainer
from torch_rechub.utils.data import MatchDataGenerator


def main(folder: Path, batch_size: int) -> None:
    """Prints the seconds of an epoch, its loader included."""
    x = {name: np.load(folder / f"{name}.npy") for name in ("user_id", "item_id", "history")}
    sizes = json.loads((folder / "sizes.json").read_text())
    dim, dims = sizes["embed_dim"], [*sizes["hidden"], sizes["embed_dim"]]
    user = [
        SparseFeature("user_id", vocab_size=sizes["users"] + 1, embed_dim=dim),
        SequenceFeature(
            "history", sizes["items"] + 1, embed_dim=dim, pooling="mean", shared_with="item_id", padding_idx=0
        ),
    ]
    item = [SparseFeature("item_id", vocab_size=sizes["items"] + 1, embed_dim=dim)]
    torch.manual_seed(0)
    model = DSSM(user, item, {"dims": dims}, {"dims": dims}, temperature=1.0)
    trainer = MatchTrainer(
        model, mode=2, in_batch_neg=True, optimizer_params={"lr": 1e-3}, n_epoch=1, model_path=str(folder)
    )
    data = MatchDataGenerator(x, np.zeros(len(x["user_id"])))
    # Without workers, as ours: a thread is what both get.
    loader, _, _ = data.generate_dataloader(x, {"item_id": x["item_id"]}, batch_size, num_workers=0)
    started = time.perf_counter()
    trainer.train_one_epoch(loader)
    print(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""torch-rechub's side of `benchmarks.speed.ctr`: its models by its own trainers and loader."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ctr import load, tell
from torch_rechub.basic.features import DenseFeature, SequenceFeature, SparseFeature
from torch_rechub.models.multi_task import MMOE
from torch_rechub.models.ranking import DIN, DCNv2, DeepFM
from torch_rechub.trainers import CTRTrainer, MTLTrainer
from torch_rechub.utils.data import DataGenerator


def main(folder: Path, name: str, batch_size: int) -> None:
    """Times an epoch, its loader included."""
    x, sizes = load(folder)
    torch.manual_seed(0)
    y = np.stack([x.pop(task) for task in sizes["tasks"]], axis=1)
    model, options = model_of(name, sizes), {"optimizer_params": {"lr": 1e-3}, "model_path": str(folder)}
    if name == "mmoe":
        trainer = MTLTrainer(model, ["classification"] * y.shape[1], **options)
    else:
        trainer, y = CTRTrainer(model, **options), y[:, 0]
    # Without workers, as ours: a thread is what both get.
    loader, _, _ = DataGenerator(x, y).generate_dataloader(
        x_val=x, y_val=y, x_test=x, y_test=y, batch_size=batch_size, num_workers=0
    )
    tell(lambda: trainer.train_one_epoch(loader))


def model_of(name: str, sizes: dict[str, Any]) -> torch.nn.Module:
    """As its examples make it; its MLPs have batch norm, and its DIN takes no numbers."""
    dim, vocab = sizes["embed_dim"], sizes["vocab"]
    mlp = {"dims": sizes["hidden"], "dropout": sizes.get("dropout", 0.0)}
    ids = [SparseFeature(key, vocab_size=size, embed_dim=dim) for key, size in vocab.items()]
    for key, (size, _) in sizes.get("multi", {}).items():
        ids.append(SequenceFeature(key, vocab_size=size, embed_dim=dim, pooling="mean", padding_idx=0))
    every = [*ids, *(DenseFeature(key) for key in sizes["numbers"])]
    if name == "deepfm":
        return DeepFM(every, ids, mlp)
    if name == "dcn_v2":
        return DCNv2(every, sizes["cross_layers"], mlp, use_low_rank_mixture=False)
    if name == "mmoe":
        towers = [{"dims": sizes["tower"]} for _ in sizes["tasks"]]
        return MMOE(every, ["classification"] * len(towers), sizes["experts"], mlp, towers)
    past = SequenceFeature("history", vocab["item_id"], dim, pooling="concat", shared_with="item_id")
    others, unit = [f for f in ids if f.name != "item_id"], {"dims": sizes["attention"], "activation": "relu"}
    item = [f for f in ids if f.name == "item_id"]
    return DIN(others, [past], item, mlp, unit)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))

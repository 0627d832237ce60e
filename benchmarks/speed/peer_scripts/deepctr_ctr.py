"""deepctr-torch's side of `benchmarks.speed.ctr`: its models by their own `fit`, without regularisation."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ctr import load, tell
from deepctr_torch.inputs import DenseFeat, SparseFeat, VarLenSparseFeat
from deepctr_torch.models import DCN, DIN, DeepFM
from deepctr_torch.models.basemodel import BaseModel
from deepctr_torch.models.multitask import MMOE


def main(folder: Path, name: str, batch_size: int) -> None:
    """Times an epoch, its loader included."""
    x, sizes = load(folder)
    y = np.stack([x.pop(task) for task in sizes["tasks"]], axis=1)
    if name == "din":
        x |= {"hist_item_id": x.pop("history"), "length": np.full(len(y), sizes["history"])}
    model, several = model_of(name, sizes), name == "mmoe"
    losses = ["binary_crossentropy"] * y.shape[1] if several else "binary_crossentropy"
    model.compile(torch.optim.Adam(model.parameters(), lr=1e-3), losses, metrics=[])
    rows = {key: x[key] for key in model.feature_index}
    tell(lambda: model.fit(rows, y if several else y[:, 0], batch_size, epochs=1, verbose=0))


def model_of(name: str, sizes: dict[str, Any]) -> BaseModel:
    """A model of its own, with nothing switched on that ours does not do."""
    dim, vocab, hidden = sizes["embed_dim"], sizes["vocab"], sizes["hidden"]
    columns = [SparseFeat(key, size, dim) for key, size in vocab.items()]
    columns += [DenseFeat(key) for key in sizes["numbers"]]
    plain = {"l2_reg_embedding": 0.0, "l2_reg_linear": 0.0, "dnn_dropout": 0.0}
    if name == "deepfm":
        return DeepFM(columns, columns, dnn_hidden_units=hidden, **plain)
    if name == "dcn_v2":
        crosses = {
            "cross_num": sizes["cross_layers"],
            "cross_parameterization": "matrix",
            "l2_reg_cross": 0.0,
        }
        return DCN([], columns, dnn_hidden_units=hidden, **crosses, **plain)
    if name == "mmoe":
        experts = {"num_experts": sizes["experts"], "expert_dnn_hidden_units": hidden}
        tops = {"gate_dnn_hidden_units": (), "tower_dnn_hidden_units": sizes["tower"]}
        tasks = {"task_types": ["binary"] * len(sizes["tasks"]), "task_names": sizes["tasks"]}
        return MMOE(columns, **experts, **tops, **tasks, **plain)
    past = SparseFeat("hist_item_id", vocab["item_id"], dim, embedding_name="item_id")
    columns.append(VarLenSparseFeat(past, sizes["history"], length_name="length"))
    unit = {"att_hidden_size": sizes["attention"], "att_activation": "relu", "l2_reg_embedding": 0.0}
    return DIN(columns, ["item_id"], dnn_hidden_units=hidden, **unit)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))

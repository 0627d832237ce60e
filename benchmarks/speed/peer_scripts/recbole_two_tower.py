"""RecBole's side of `benchmarks.speed two_tower`: DSSM, a sampled negative for each positive."""

import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed


def main(folder: Path, batch_size: int) -> None:
    """Prints the seconds of an epoch, its loader and sampler included."""
    user, item = (np.load(folder / f"{name}.npy") for name in ("user_id", "item_id"))
    sizes = json.loads((folder / "sizes.json").read_text())
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as temp:
        (Path(temp) / "log").mkdir()
        rows = [f"u{u}\ti{i}" for u, i in zip(user, item, strict=True)]
        text = "\n".join(["user_id:token\titem_id:token", *rows])
        (Path(temp) / "log" / "log.inter").write_text(text)
        settings = {
            "data_path": temp,
            "load_col": {"inter": ["user_id", "item_id"]},
            "embedding_size": sizes["embed_dim"],
            "mlp_hidden_size": [*sizes["hidden"], sizes["embed_dim"]],
            "dropout_prob": 0.0,
            # A positive and its negative are two of their rows.
            "train_batch_size": 2 * batch_size,
            "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1},
            "eval_args": {"split": {"RS": [1, 0, 0]}, "group_by": None, "order": "RO", "mode": "labeled"},
            "metrics": ["AUC"],
            "valid_metric": "AUC",
            "use_gpu": False,
            "show_progress": False,
            "checkpoint_dir": temp,
        }
        config = Config(model="DSSM", dataset="log", config_dict=settings)
        init_seed(0, True)
        train, _, _ = data_preparation(config, create_dataset(config))
        trainer = get_trainer(config["MODEL_TYPE"], "DSSM")(config, get_model("DSSM")(config, train.dataset))
        started = time.perf_counter()
        trainer._train_epoch(train, 0)
        print(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""RecBole's side of `benchmarks.speed evaluation`: full-sort evaluation of given vectors.

It takes its batch size in scores, 4096 by default, which is one user; the fastest of several is reported.
"""

import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

BATCH_USERS = (256, 1024, 8192)
TOP_K = 20


def main(folder: Path) -> None:
    """Prints seconds and means."""
    given = {name: np.load(folder / f"{name}.npy") for name in ("users", "items", "seen", "targets")}
    with tempfile.TemporaryDirectory() as temp:
        os.chdir(temp)  # RecBole leaves logs where it runs.
        write_atomic(given, Path(temp))
        runs = [evaluate(given, temp, size) for size in BATCH_USERS]
    print(json.dumps(min(runs, key=lambda run: run["seconds"])))


def write_atomic(given: dict, root: Path) -> None:
    """Seen events for training, one of them for validation, and targets for the test."""
    (root / "log").mkdir()
    parts = {"train": given["seen"][:, 1:], "valid": given["seen"][:, :1], "test": given["targets"]}
    for name, table in parts.items():
        users, place = np.nonzero(table)
        rows = [f"u{user}\ti{item}" for user, item in zip(users, table[users, place], strict=True)]
        (root / "log" / f"log.{name}.inter").write_text("\n".join(["user_id:token\titem_id:token", *rows]))


def evaluate(given: dict, root: str, size: int) -> dict:
    """Seconds and means with so many users in a batch."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    logging.disable(logging.CRITICAL)
    config = Config(
        model="BPR",
        dataset="log",
        config_dict={
            "data_path": root,
            "benchmark_filename": ["train", "valid", "test"],
            "load_col": {"inter": ["user_id", "item_id"]},
            "embedding_size": given["users"].shape[1],
            "eval_args": {"group_by": "user", "order": "RO", "mode": "full"},
            "eval_batch_size": size * (len(given["items"]) + 1),
            "metrics": ["Recall", "NDCG"],
            "valid_metric": "NDCG@20",
            "topk": [TOP_K],
            "metric_decimal_place": 8,
            "use_gpu": False,
            "show_progress": False,
            "checkpoint_dir": root,
        },
    )
    init_seed(0, True)
    dataset = create_dataset(config)
    train, _, test = data_preparation(config, dataset)
    model = get_model("BPR")(config, train.dataset)
    fill(model.user_embedding.weight, dataset.field2id_token["user_id"], given["users"], 0)
    fill(model.item_embedding.weight, dataset.field2id_token["item_id"], given["items"], 1)
    trainer = get_trainer(config["MODEL_TYPE"], "BPR")(config, model)
    trainer.evaluate(test, load_best_model=False)
    # As ours: on one thread what the processor took.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    started = clock()
    found = trainer.evaluate(test, load_best_model=False)
    seconds = clock() - started
    means = {"recall": float(found["recall@20"]), "ndcg": float(found["ndcg@20"])}
    return {"seconds": seconds, "batch_users": size, "means": means}


def fill(weight: torch.nn.Parameter, tokens: list, vectors: np.ndarray, first: int) -> None:
    """Gives every token its vector; the first token is padding, and items never seen have no token."""
    rows = [int(token[1:]) - first for token in tokens[1:]]
    with torch.no_grad():
        weight[1:] = torch.from_numpy(vectors[rows])


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""RecBole's side of `benchmarks.speed time_to_quality`: BPR."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from quality import Array, Race
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed


def main(folder: Path, options: dict[str, Any]) -> None:
    """Prints what the race says."""
    race = Race(folder)
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as temp:
        os.chdir(temp)  # It writes logs to where it runs.
        (Path(temp) / "log").mkdir()
        rows = [f"u{u}\ti{i}" for u, i in race.train.tolist()]
        text = "\n".join(["user_id:token\titem_id:token", *rows])
        (Path(temp) / "log" / "log.inter").write_text(text)
        settings = {
            "data_path": temp,
            "load_col": {"inter": ["user_id", "item_id"]},
            "eval_args": {"split": {"RS": [1, 0, 0]}, "group_by": None, "order": "RO", "mode": "full"},
            "use_gpu": False,
            "show_progress": False,
            "checkpoint_dir": temp,
        }
        config = Config(model="BPR", dataset="log", config_dict=settings | options)
        init_seed(0, True)
        train, _, _ = data_preparation(config, create_dataset(config))
        model = get_model("BPR")(config, train.dataset)
        trainer = get_trainer(config["MODEL_TYPE"], "BPR")(config, model)

        def vectors() -> tuple[Array, Array]:
            found = []
            tables = (model.user_embedding.weight, model.item_embedding.weight)
            for weight, field, size in zip(tables, ("user_id", "item_id"), race.shape, strict=True):
                table = np.zeros((size, weight.shape[1]), dtype=np.float32)
                places = [int(token[1:]) for token in train.dataset.field2id_token[field][1:]]
                table[places] = weight.detach().numpy()[1:]
                found.append(table)
            return found[0], found[1]

        epochs = iter(range(race.passes))
        print(json.dumps(race.run(lambda: trainer._train_epoch(train, next(epochs)), vectors)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))

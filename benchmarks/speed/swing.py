"""`recall/swing` beside `recall/item_cf` on ML-1M, and the time of an event while a log grows.

The likes of ML-1M are real (`ZOO_DATA`, or a download); with `--rows` they are generated, and the log that
grows ends at so many. Each fit is a process of its own; on one thread seconds are of the processor.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.speed.item_cf import run_step
from benchmarks.speed.options import Options, versus
from benchmarks.speed.shapes import ROWS, save

DATASET = Path(__file__).parents[2] / "configs" / "datasets" / "ml-1m.yaml"
SHARES = (0.05, 0.25, 1.0)
"""Of the rows that a growing log ends at."""


def measure(options: Options) -> dict[str, float | str]:
    """Seconds of fitting swing, `ours`, and item_cf, `peer`; microseconds an event of logs of three sizes."""
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        rows = save_ml1m(folder) if options.rows is None else len(_generated(folder, options.rows))

        def fit(model: str) -> float:
            return run_step(model, folder, options.threads)["fit"]

        found = versus(lambda: fit("swing"), lambda: fit("item_cf"), options)
        found |= {"rows": rows, "times_item_cf": round(1 / float(found["ratio"]), 2)}
        for share in SHARES:
            rows = len(_generated(folder, int(share * (options.rows or ROWS))))
            found[f"us_per_event_{rows}"] = round(fit("swing") / rows * 1e6, 4)
    return found


def save_ml1m(folder: Path) -> int:
    """Writes the likes of ML-1M as `shapes.save` does: how many there are."""
    from benchmarks.datasets import load_config, prepare

    events = prepare(load_config(DATASET)).log.events
    user, item = (np.asarray(events[name]).astype(np.int32) for name in ("user", "item"))
    order = np.argsort(user, kind="stable")
    np.save(folder / "user.npy", user[order])
    np.save(folder / "item.npy", item[order])
    return len(user)


def _generated(folder: Path, rows: int) -> np.ndarray:
    """The users of about `rows` generated likes, which are written to the folder."""
    user: np.ndarray = np.load(save(folder, rows) / "user.npy", mmap_mode="r")
    return user

"""What the peers of `benchmarks.speed.ctr` share: the same rows from a file, and a clock."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch


def load(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Columns by name, and the sizes of everything."""
    with np.load(folder / "rows.npz") as file:
        columns = {name: file[name] for name in file.files}
    return columns, json.loads((folder / "sizes.json").read_text())


def tell(epoch: Callable[[], object]) -> None:
    """Prints the seconds of an epoch, after one that nobody counts."""
    epoch()
    # On one thread those of the processor, as others share the machine.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    started = clock()
    epoch()
    print("\n" + json.dumps({"seconds": clock() - started}))

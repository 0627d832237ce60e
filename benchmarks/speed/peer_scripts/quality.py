"""What the peers' sides of `benchmarks.speed time_to_quality` share: the log, the measure, and the clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
K = 20


class Race:
    """Trains in turns of one pass each until the recall is reached; measuring it is not on the clock.

    Args:
        folder: Holds `train.npy` and `answers.npy`, `(E, 2)` user and item from 0 on, and `sizes.json`.
    """

    def __init__(self, folder: Path) -> None:
        self.train, self.answers = (np.load(folder / f"{name}.npy") for name in ("train", "answers"))
        sizes = json.loads((folder / "sizes.json").read_text())
        self.shape, self.level, self.passes = (
            (sizes["users"], sizes["items"]),
            sizes["level"],
            sizes["passes"],
        )

    def run(self, one_pass: Callable[[], None], vectors: Callable[[], tuple[Array, Array]]) -> dict[str, Any]:
        """Seconds, passes, the recall then, and whether it is the wanted one."""
        seconds, recall, number = 0.0, 0.0, 0
        while recall < self.level and number < self.passes:
            number += 1
            started = time.perf_counter()
            one_pass()
            seconds += time.perf_counter() - started
            recall = self.recall(*vectors())
        return {"seconds": seconds, "passes": number, "recall": recall, "reached": recall >= self.level}

    def recall(self, users: Array, items: Array, chunk: int = 1000) -> float:
        """Mean over users with answers of hits among the best 20 unseen items over answers."""
        hits, count = np.zeros(self.shape[0]), np.bincount(self.answers[:, 0], minlength=self.shape[0])
        for start in range(0, self.shape[0], chunk):
            scores = users[start : start + chunk] @ items.T
            seen, wanted = (_of_users(pairs, start, start + chunk) for pairs in (self.train, self.answers))
            scores[seen[:, 0], seen[:, 1]] = -np.inf
            best = np.argpartition(-scores, K, axis=1)[:, :K]
            right = np.zeros(scores.shape, dtype=bool)
            right[wanted[:, 0], wanted[:, 1]] = True
            hits[start : start + chunk] = np.take_along_axis(right, best, axis=1).sum(1)
        return float((hits[count > 0] / count[count > 0]).mean())


def _of_users(pairs: Array, start: int, stop: int) -> Array:
    """The pairs of users `start` to `stop`, counted from `start`."""
    own = pairs[(pairs[:, 0] >= start) & (pairs[:, 0] < stop)]
    moved: Array = own - np.array([start, 0])
    return moved

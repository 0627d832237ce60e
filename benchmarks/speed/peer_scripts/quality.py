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
    """Trains in turns of one pass each until all levels of recall are reached; measuring is not on the clock.

    On one thread seconds are of the processor. It is given up after so many passes or seconds.

    Args:
        folder: Holds `train.npy` and `answers.npy`, `(E, 2)` user and item from 0 on, and `race.json`.
    """

    def __init__(self, folder: Path) -> None:
        self.train, self.answers = (np.load(folder / f"{name}.npy") for name in ("train", "answers"))
        rules = json.loads((folder / "race.json").read_text())
        self.shape, self.levels = (rules["users"], rules["items"]), rules["levels"]
        self.passes, self.limit = rules["passes"], rules["limit"]
        self.clock = time.process_time if rules["threads"] == 1 else time.perf_counter

    def run(self, one_pass: Callable[[], None], vectors: Callable[[], tuple[Array, Array]]) -> dict[str, Any]:
        """Seconds until each level that was reached, lowest first; all passes, seconds, the last recall."""
        seconds, recall, number, reached = 0.0, 0.0, 0, list[float]()
        while len(reached) < len(self.levels) and number < self.passes and seconds < self.limit:
            number += 1
            started = self.clock()
            one_pass()
            seconds += self.clock() - started
            recall = self.recall(*vectors())
            reached += [seconds for level in self.levels[len(reached) :] if recall >= level]
        return {"reached": reached, "passes": number, "seconds": seconds, "recall": recall}

    def recall(self, users: Array, items: Array, chunk: int = 1000) -> float:
        """Mean over users with answers of hits among the best 20 unseen items over answers."""
        asked, count = np.unique(self.answers[:, 0], return_counts=True)
        hits = []
        for rows in np.split(asked, range(chunk, len(asked), chunk)):
            scores = users[rows] @ items.T
            seen, wanted = (_of_users(pairs, rows) for pairs in (self.train, self.answers))
            scores[seen[:, 0], seen[:, 1]] = -np.inf
            best = np.argpartition(-scores, K, axis=1)[:, :K]
            right = np.zeros(scores.shape, dtype=bool)
            right[wanted[:, 0], wanted[:, 1]] = True
            hits.append(np.take_along_axis(right, best, axis=1).sum(1))
        return float((np.concatenate(hits) / count).mean())


def _of_users(pairs: Array, rows: Array) -> Array:
    """The pairs of some users, ascending, with the user's place among them."""
    own = pairs[np.isin(pairs[:, 0], rows)]
    return np.stack([np.searchsorted(rows, own[:, 0]), own[:, 1]], axis=1)

"""Full-catalogue evaluation at the size of ML-1M: score, mask what is seen, top 20, recall and NDCG.

Ours is the path of the harness: its `Runner` traces a funnel of one recall stage in chunks of requests, and
the metrics are read off one matrix of hits. RecBole's evaluator and torchmetrics' retrieval classes get the
same vectors, seen items and targets, and must come to the same means.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.machine import PeakMemory
from benchmarks.run import Runner
from benchmarks.speed.options import Options, versus
from benchmarks.speed.peers import run_peer
from zoo.core.config import ModelConfig
from zoo.core.schema import Feature, Schema
from zoo.core.types import Batch, Request
from zoo.funnel import Funnel
from zoo.metrics.functional import Hits
from zoo.training import EmbeddingRetrieval

if TYPE_CHECKING:
    from benchmarks.components import Components
    from benchmarks.world import World

USERS, ITEMS, EVENTS, DIM, K = 6040, 3706, 1_000_209, 64, 20
MANY_ITEMS, MANY_USERS = 100_000, (1_000, 8_000)
"""Of the memory check: the scores of all users and items together would take 0.4 and 3.2 GB."""
SCRIPT = Path(__file__).parent / "peer_scripts" / "recbole_evaluation.py"


@dataclass(frozen=True)
class Setting:
    """Vectors of unit length, and what users have seen and what would be right.

    Attributes:
        users: `(U, D)` vectors.
        items: `(N, D)` vectors of items 1..N.
        seen: `(U, S)` items, padded with 0 behind.
        targets: `(U, T)` unseen relevant items, likewise.
    """

    users: Tensor
    items: Tensor
    seen: Tensor
    targets: Tensor

    @classmethod
    def generated(cls, users: int, items: int, events: int, seed: int = 0) -> Setting:
        """From 20 events a user upwards with a long tail, items by popularity; a fifth are targets."""
        draw = np.random.default_rng(seed)
        counts = draw.lognormal(0, 1.1, users)
        counts = np.clip(counts * events / counts.sum(), 20, items // 2).astype(np.int64)
        popularity = -0.8 * np.log(np.arange(1, items + 1))
        own = [np.argpartition(-(popularity + draw.gumbel(size=items)), n)[:n] + 1 for n in counts]
        own = [draw.permutation(ids) for ids in own]

        def vectors(count: int) -> Tensor:
            return F.normalize(torch.from_numpy(draw.standard_normal((count, DIM), np.float32)), dim=1)

        return cls(
            users=vectors(users),
            items=vectors(items),
            seen=_padded([ids[len(ids) // 5 :] for ids in own]),
            targets=_padded([ids[: len(ids) // 5] for ids in own]),
        )

    def save(self, folder: Path) -> None:
        """Writes one NumPy file for each attribute."""
        for name, value in vars(self).items():
            np.save(folder / f"{name}.npy", value.numpy())


class Fixed(EmbeddingRetrieval):
    """Given vectors of users and items: nothing to train."""

    def __init__(self, setting: Setting) -> None:
        item = Feature("item_id", "item_id", "categorical", vocab=len(setting.items) + 1)
        super().__init__(Schema((item,)), ModelConfig())
        self.users, self.items = setting.users, F.pad(setting.items, (0, 0, 1, 0))

    def encode_user(self, batch: Batch) -> Tensor:
        """`(B, D)`."""
        return self.users[batch["user"]]

    def encode_item(self, batch: Batch) -> Tensor:
        """`(…, D)`."""
        return self.items[batch["item_id"]]


@dataclass(frozen=True)
class Asked:
    """What tracing a funnel looks at of a `World`."""

    measured: Request

    @property
    def requests(self) -> Tensor:
        """One for each user."""
        return self.measured.features["user"]


@dataclass(frozen=True)
class Harness:
    """The setting as the harness measures it."""

    setting: Setting
    runner: Runner
    funnel: Funnel

    @classmethod
    def of(cls, setting: Setting) -> Harness:
        """A funnel of one recall stage over fixed vectors."""
        model = Fixed(setting)
        model.prepare({"item_id": torch.arange(len(setting.items) + 1)})
        world = Asked(Request({"user": torch.arange(len(setting.users)), "seen": setting.seen}))
        runner = Runner(cast("World", world), cast("Components", None))
        return cls(setting, runner, Funnel([("recall", lambda r, _: model.recall(r, K, r.features["seen"]))]))

    def means(self) -> dict[str, float]:
        """Recall and NDCG, means over all users."""
        ids = self.runner._traced(self.funnel)["recall"].ids
        hits = Hits.of(ids, self.setting.targets)
        return {"recall": hits.recall(K).nanmean().item(), "ndcg": hits.ndcg(K).nanmean().item()}


def measure(options: Options) -> dict[str, float | str]:
    """RecBole beside ours, then torchmetrics, then the memory of ours at 100,000 items."""
    torch.set_num_threads(options.threads)
    users = options.rows or USERS
    setting = Setting.generated(users, ITEMS, EVENTS * users // USERS)
    harness = Harness.of(setting)
    means = {"ours": harness.means()}  # Not timed: the first call compiles.

    def ours() -> float:
        return _seconds(harness.means, options.threads)

    def torchmetrics() -> float:
        return _seconds(lambda: means.update(torchmetrics=by_torchmetrics(setting)), options.threads)

    with tempfile.TemporaryDirectory() as folder:
        setting.save(Path(folder))

        def recbole() -> float:
            found = run_peer("recbole", SCRIPT, folder, threads=options.threads)
            means["recbole"] = found["means"]
            return float(found["seconds"])

        first = versus(ours, recbole, options)
    # Once: it takes half a minute, and the ratio is no close call.
    second = versus(ours, torchmetrics, replace(options, repeats=1))
    for peer, name in ((p, n) for p in means for n in means["ours"]):
        if abs(means[peer][name] - means["ours"][name]) > 1e-4:
            raise SystemExit(f"{name}: ours {means['ours'][name]}, {peer} {means[peer][name]}")
    return {
        **first,
        "torchmetrics": second["peer"],
        "torchmetrics_ratio": second["ratio"],
        **{name: round(value, 5) for name, value in means["ours"].items()},
        **{f"peak_mib_{count}_users": peak_mib(count) for count in MANY_USERS},
    }


def by_torchmetrics(setting: Setting) -> dict[str, float]:
    """Recall and NDCG by torchmetrics' retrieval classes, which take a row for every user and item."""
    from torchmetrics.retrieval import RetrievalNormalizedDCG, RetrievalRecall

    metrics = {"recall": RetrievalRecall(top_k=K), "ndcg": RetrievalNormalizedDCG(top_k=K)}
    for rows in torch.arange(len(setting.users)).split(1024):
        scores = F.pad(setting.users[rows] @ setting.items.T, (1, 0))
        scores.scatter_(1, setting.seen[rows], -torch.inf)
        right = torch.zeros(scores.shape, dtype=torch.bool).scatter_(1, setting.targets[rows], True)
        user = rows[:, None].expand_as(scores)[:, 1:].flatten()
        for metric in metrics.values():
            metric.update(scores[:, 1:].flatten(), right[:, 1:].flatten(), user)
    return {name: float(metric.compute()) for name, metric in metrics.items()}


def peak_mib(users: int) -> int:
    """Peak memory of a process that evaluates so many users at 100,000 items."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.evaluation", str(users)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return int(json.loads(done.stdout.splitlines()[-1]))


def _seconds(call: Callable[[], object], threads: int) -> float:
    """On one thread what the processor took, which a shared machine does not disturb; else what passed."""
    clock = time.process_time if threads == 1 else time.perf_counter
    started = clock()
    call()
    return clock() - started


def _padded(rows: list[NDArray[np.int64]]) -> Tensor:
    table = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for row, ids in zip(table, rows, strict=True):
        row[: len(ids)] = ids
    return torch.from_numpy(table)


if __name__ == "__main__":
    torch.set_num_threads(1)
    made = Harness.of(Setting.generated(int(sys.argv[1]), MANY_ITEMS, 30 * int(sys.argv[1])))
    with PeakMemory() as memory:
        made.means()
    print(round(memory.peak_mib()))

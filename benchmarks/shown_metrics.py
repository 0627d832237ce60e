"""How well a model ranks what was shown: of every row by task, and of every list of several."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.evaluate import Measured, add_mean, add_task, resamples
from benchmarks.shown import ShownData
from zoo.core.types import Batch
from zoo.metrics import functional as M
from zoo.training import RankModel

CHUNK = 8192
"""Rows evaluated at once, roughly; no metric depends on it."""
UNITS = 20_000
"""Most groups of users that are resampled: what 200 resamples of a million users take would not fit."""
CUT_OFF = 10


@dataclass(frozen=True)
class Predicted:
    """What a model says of the measured rows.

    Attributes:
        logits: `(M,)` by task, in the order of the rows.
        ranked: `(N,)` reciprocal rank and NDCG by name; NaN where a request has one row, or none chosen.
    """

    logits: Batch
    ranked: Batch


@torch.no_grad()
def predicted(model: RankModel, data: ShownData, choice: str) -> Predicted:
    """The logits of all measured rows, and the quality of the lists by the task `choice`."""
    size = max(1, CHUNK * len(data.test) // len(data.test.shown.event))
    logits: dict[str, list[Tensor]] = {task.name: [] for task in data.schema.tasks}
    ranked: dict[str, list[Tensor]] = {}
    for index in torch.arange(len(data.test)).split(size):
        batch = data.test.batch(index)
        found, mask = model(batch), batch["item_id"] > 0
        for name, parts in logits.items():
            parts.append(found[name][mask])
        if choice in found:
            for name, values in _ranked(found[choice], batch[f"label:{choice}"], mask).items():
                ranked.setdefault(name, []).append(values)
    joined = [{name: torch.cat(parts) for name, parts in part.items()} for part in (logits, ranked)]
    return Predicted(*joined)


def measure(measured: Measured, found: Predicted, data: ShownData, choice: str) -> None:
    """AUC, GAUC, log loss and calibration of every task, and the rank of what was chosen, by user.

    Where the log names no user, rows are resampled instead, and there is no AUC of a user's own rows.
    """
    shown, events = data.test.shown, data.test.snapshot.events
    user = torch.arange(len(shown))
    if not events.nameless:
        user = shown.requests.row.unique(return_inverse=True)[1]
    weights = resamples(min(UNITS, int(user.max()) + 1))
    group = user.repeat_interleave(shown.sizes)
    for task in data.schema.tasks:
        defined = torch.ones_like(group, dtype=torch.bool)
        if task.given:
            defined = events.flags[task.given][shown.event]
        labels = events.flags[task.name][shown.event][defined].float()
        logits, of = found.logits[task.name][defined], group[defined]
        add_task(measured, task.name, logits, labels, of, weights, not events.nameless)
    for name, values in found.ranked.items():
        add_mean(measured, f"{name}/{choice}", values, user, weights)


def _ranked(logits: Tensor, labels: Tensor, mask: Tensor) -> Batch:
    """`(B,)` by metric, of lists `(B, K)` in the order of their logits; ties by the log's order."""
    slots = torch.arange(1, logits.shape[1] + 1).expand_as(mask)
    order = logits.masked_fill(~mask, -torch.inf).argsort(dim=1, descending=True, stable=True)
    ids = slots.masked_fill(~mask, 0).gather(1, order)
    # A list of one is in the right order whatever the model says.
    targets = slots.masked_fill(~(mask & (labels > 0)) | (mask.sum(1, keepdim=True) < 2), 0)
    ids, targets = F.pad(ids, (0, 1)), F.pad(targets, (0, 1))
    return {"mrr": M.mrr(ids, targets), f"ndcg@{CUT_OFF}": M.ndcg_at_k(ids, targets, CUT_OFF)}

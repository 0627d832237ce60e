"""How well a model ranks what was shown: of every row by task, and of every list of several."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.evaluate import Measured, resamples
from benchmarks.evaluate_tasks import add_mean, add_task
from benchmarks.shown import ShownData
from zoo.core.types import Batch
from zoo.metrics import functional as M
from zoo.training import RankModel
from zoo.training.values import truth

CHUNK = 8192
"""Rows evaluated at once, roughly; no metric depends on it."""
UNITS = 20_000
"""Most groups of users that are resampled: what 200 resamples of a million users take would not fit."""
CUT_OFF = 10
DURATION = "the duration"
BUCKETS = ("short", "medium", "long")
"""Thirds of the measured rows by the duration of their items."""


@dataclass(frozen=True)
class Predicted:
    """What a model says of the measured rows.

    Attributes:
        logits: `(M,)` by task, in the order of the rows.
        ranked: `(N,)` reciprocal rank and NDCG by name; NaN where a request has one row, or none chosen.
        values: `(M,)` what is expected of each value that the model predicts, by name, and what came of it,
            by `label:<name>`, NaN where it is not defined.
        duration: `(M,)` how long the item of every row is, where the model was told the feature.
    """

    logits: Batch
    ranked: Batch
    values: Batch = field(default_factory=dict)
    duration: Tensor | None = None


@torch.no_grad()
def predicted(model: RankModel, data: ShownData, choice: str) -> Predicted:
    """The logits of all measured rows, and the quality of the lists by the task `choice`."""
    size = max(1, CHUNK * len(data.test) // len(data.test.shown.event))
    logits: dict[str, list[Tensor]] = {task.name: [] for task in data.schema.tasks}
    ranked: dict[str, list[Tensor]] = {}
    numbers: dict[str, list[Tensor]] = {}
    for index in torch.arange(len(data.test)).split(size):
        batch = data.test.batch(index)
        found, mask = model(batch), batch["item_id"] > 0
        for name, parts in logits.items():
            parts.append(found[name][mask])
        for name, number in _numbers(model, found, batch).items():
            numbers.setdefault(name, []).append(number[mask])
        if choice in found:
            for name, values in _ranked(found[choice], batch[f"label:{choice}"], mask).items():
                ranked.setdefault(name, []).append(values)
    asked = _joined(numbers)
    duration = asked.pop(DURATION, None)
    return Predicted(_joined(logits), _joined(ranked), asked, duration)


def _joined(chunks: dict[str, list[Tensor]]) -> Batch:
    return {name: torch.cat(parts) for name, parts in chunks.items()}


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
    for name in found.values:
        if f"label:{name}" in found.values:
            add_value(measured, name, found, group, weights)


def add_value(measured: Measured, name: str, found: Predicted, group: Tensor, weights: Tensor) -> None:
    """Absolute error of a number, also by the duration of items, and how well it orders pairs.

    Args:
        measured: Added to.
        name: Of the value.
        found: With what is expected of it, in the unit of its label.
        group: `(M,)` the user of each.
        weights: `(R, G)`, as of `add_task`.
    """
    expected, label = found.values[name], found.values[f"label:{name}"]
    defined = ~label.isnan()
    if not defined.any():
        return
    error = (expected - label).abs()
    add_mean(measured, f"{name}/mae", error, group, weights)
    measured.add_pooled(f"{name}/xauc", M.xauc(expected[defined], label[defined]))
    if found.duration is None:
        return
    ordered = found.duration[defined].sort().values
    edges = ordered[[len(ordered) // 3, 2 * len(ordered) // 3]]
    bucket = torch.bucketize(found.duration, edges)
    for number, title in enumerate(BUCKETS):
        if (where := defined & (bucket == number)).any():
            add_mean(measured, f"{name}/mae/{title}", error.where(where, torch.nan), group, weights)


def _numbers(model: RankModel, logits: Batch, batch: Batch) -> Batch:
    """`(B, K)` what is expected of values, what came of them, and the duration of items."""
    numbers = model.expected(logits, batch)
    numbers |= {f"label:{name}": truth(form, batch[f"label:{name}"]) for name, form in model.values.items()}
    return numbers | ({DURATION: batch[model.duration]} if model.duration else {})


def _ranked(logits: Tensor, labels: Tensor, mask: Tensor) -> Batch:
    """`(B,)` by metric, of lists `(B, K)` in the order of their logits; ties by the log's order."""
    slots = torch.arange(1, logits.shape[1] + 1).expand_as(mask)
    order = logits.masked_fill(~mask, -torch.inf).argsort(dim=1, descending=True, stable=True)
    ids = slots.masked_fill(~mask, 0).gather(1, order)
    # A list of one is in the right order whatever the model says.
    targets = slots.masked_fill(~(mask & (labels > 0)) | (mask.sum(1, keepdim=True) < 2), 0)
    ids, targets = F.pad(ids, (0, 1)), F.pad(targets, (0, 1))
    return {"mrr": M.mrr(ids, targets), f"ndcg@{CUT_OFF}": M.ndcg_at_k(ids, targets, CUT_OFF)}

"""From logits to metrics of tasks with intervals over users."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.evaluate import Measured, resamples
from zoo.core.errors import UserError
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.data.views import View
from zoo.metrics import functional as M
from zoo.training import RankModel

DIAGNOSED, CHUNK = 2048, 64
"""Requests, and how many at once, that are enough for what a model tells about itself."""


def add_tasks(measured: Measured, predicted: Batch, candidates: Batch, schema: Schema) -> None:
    """AUC, GAUC, log loss and calibration of every task, where it is defined.

    Args:
        measured: Added to.
        predicted: `(U, K)` logits by task.
        candidates: `item_id` and `label:<task>`, `(U, K)`.
        schema: Names the tasks and what they are given.
    """
    users, mask = len(candidates["item_id"]), candidates["item_id"] > 0
    rows = torch.arange(users)[:, None].expand_as(mask)
    weights = resamples(users)
    for task in schema.tasks:
        defined = mask & (candidates[f"label:{task.given}"] > 0) if task.given else mask
        logits, labels = predicted[task.name][defined], candidates[f"label:{task.name}"][defined]
        add_task(measured, task.name, logits, labels, rows[defined], weights)


def add_task(
    measured: Measured,
    task: str,
    logits: Tensor,
    labels: Tensor,
    group: Tensor,
    weights: Tensor,
    by_user: bool = True,
) -> None:
    """The same for one task at the `(M,)` places where it is defined; what is defined nowhere is left out.

    Args:
        measured: Added to.
        task: Its name.
        logits: `(M,)`.
        labels: `(M,)` 0 or 1.
        group: `(M,)` the user of each.
        weights: `(R, G)` how often each resample draws each group of users, those that are equal modulo G.
        by_user: Whether groups are users, so that an AUC of each means something.

    Raises:
        UserError: A logit is no finite number, as of a run that diverged or of a feature that is NaN.
    """
    if bad := int((~logits.isfinite()).sum()):
        raise UserError(f"{bad:,} of {len(logits):,} logits of task {task!r} are not finite numbers")
    unit, units = group % weights.shape[1], weights.shape[1]

    def summed(values: Tensor, where: Tensor = unit) -> Tensor:
        return torch.bincount(where, values, minlength=units)

    area, areas = M.auc(logits, labels), M.auc_replicates(logits, labels, unit, weights)
    measured.add_pooled(f"auc/{task}", area, areas)
    if by_user:
        value, per_user = M.gauc(logits, labels, group)
        size = torch.bincount(group).float().masked_fill(per_user.isnan(), 0)
        folded = torch.arange(len(size)) % units
        above, below = summed(per_user.nan_to_num() * size, folded), summed(size, folded)
        measured.add_pooled(f"gauc/{task}", value, _ratio(weights, above, below))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    value = M.log_loss(logits, labels)
    measured.add_pooled(
        f"logloss/{task}", value, _ratio(weights, summed(loss), summed(torch.ones_like(loss)))
    )
    probability = logits.sigmoid()
    value = M.pcoc(probability, labels)
    measured.add_pooled(f"pcoc/{task}", value, _ratio(weights, summed(probability), summed(labels)))
    measured.add_pooled(f"ece/{task}", M.ece(probability, labels))


def add_mean(measured: Measured, name: str, values: Tensor, user: Tensor, weights: Tensor) -> None:
    """A mean over requests with an interval over users.

    Args:
        measured: Added to.
        name: Of the metric.
        values: `(N,)`, NaN where a request has none.
        user: `(N,)`.
        weights: `(R, G)`, as of `add_task`.
    """
    known, units = ~values.isnan(), weights.shape[1]
    unit, values = user[known] % units, values[known].double()
    ratio = _ratio(weights, torch.bincount(unit, values, units), torch.bincount(unit, minlength=units))
    measured.add_pooled(name, values.mean(), ratio)


@torch.no_grad()
def diagnosed(model: RankModel, view: View) -> dict[str, float]:
    """The mean over candidates of every number that a model tells about itself, such as `polarisation/like`.

    Of requests spread over all, if there are more than `DIAGNOSED`.
    """
    parts: dict[str, list[Tensor]] = {}
    rows = torch.arange(0, len(view), -(-len(view) // DIAGNOSED))
    for chunk in rows.split(CHUNK):
        batch = view.batch(chunk)
        for name, values in model.diagnostics(batch).items():
            parts.setdefault(name, []).append(values[batch["item_id"] > 0])
        if not parts:
            break  # this model has nothing to tell
    return {name: float(torch.cat(values).mean()) for name, values in parts.items()}


def _ratio(weights: Tensor, above: Tensor, below: Tensor) -> Tensor:
    """`(R,)` Σ above / Σ below under every resample `(R, U)` of users."""
    return (weights @ above.float()) / (weights @ below.float()).clamp(min=1e-12)

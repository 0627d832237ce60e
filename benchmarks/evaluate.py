"""From ranked lists or probabilities to metrics with intervals, and the arrays that they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.intervals import Interval, bootstrap_weights, pooled_interval, user_interval
from benchmarks.protocols import ProtocolConfig
from zoo.core.errors import UserError
from zoo.core.schema import Schema
from zoo.core.types import Batch, Candidates
from zoo.data.views import View
from zoo.metrics import functional as M
from zoo.training import RankModel

LIST_LENGTH = 20
"""Length of the lists whose diversity is measured."""
DIAGNOSED, CHUNK = 2048, 64
"""Requests, and how many at once, that are enough for what a model tells about itself."""


@dataclass
class Measured:
    """Metrics of one run.

    Attributes:
        metrics: Means with intervals over users, in the order they were added.
        arrays: `user/<metric>` `(U,)` and `boot/<metric>` `(R,)`, as a record keeps them.
    """

    metrics: dict[str, Interval] = field(default_factory=dict)
    arrays: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def add_users(self, name: str, values: Tensor) -> None:
        """A metric with one value `(U,)` per request, NaN where it is not defined; left out if nowhere."""
        array = values.double().numpy()
        if not np.isnan(array).all():
            self.arrays[f"user/{name}"] = array.astype(np.float32)
            self.metrics[name] = user_interval(self.arrays[f"user/{name}"])

    def add_pooled(self, name: str, value: float | Tensor, replicates: Tensor | None = None) -> None:
        """A metric of all requests together, with its value `(R,)` under the shared resamples if known.

        It is left out where it is not defined, as an AUC without positives.
        """
        if np.isnan(float(value)):
            return
        if replicates is None:
            self.metrics[name] = Interval(float(value))
            return
        values = replicates.double().numpy()
        self.arrays[f"boot/{name}"] = values.astype(np.float32)
        self.metrics[name] = pooled_interval(float(value), values)

    def add_numbers(self, numbers: Mapping[str, float]) -> None:
        """Plain numbers, such as latencies."""
        self.metrics |= {name: Interval(float(value)) for name, value in numbers.items()}

    def add_costs(self, costs: Mapping[str, float]) -> None:
        """What training took, as `train/<name>`."""
        self.add_numbers({f"train/{name}": value for name, value in costs.items()})


def resamples(users: int) -> Tensor:
    """`(R, U)` float, the resamples of users that all records share."""
    return torch.from_numpy(bootstrap_weights(users).astype(np.float32))


def add_ranking(
    measured: Measured, ids: Tensor, targets: Tensor, protocol: ProtocolConfig, segments: Mapping[str, Tensor]
) -> None:
    """Recall, hit rate, NDCG and reciprocal rank, overall and by segment.

    Args:
        measured: Added to.
        ids: `(U, K)` ranked lists, 0 is padding; cut-offs beyond K are left out.
        targets: `(U, T)` relevant items; users without any count nowhere.
        protocol: Names the cut-offs.
        segments: `(U,)` bool by name.
    """
    hits, most = M.Hits.of(ids, targets), ids.shape[1]
    values = {f"recall@{k}": hits.recall(k) for k in protocol.recall_at if k <= most}
    values |= {f"ndcg@{k}": hits.ndcg(k) for k in protocol.ndcg_at if k <= most}
    values |= {f"hit@{LIST_LENGTH}": hits.hit(LIST_LENGTH), "mrr": hits.mrr()}
    for name, value in values.items():
        measured.add_users(name, value)
    for segment, member in segments.items():
        for name, value in values.items():
            if not name.startswith(("hit", "mrr")):
                measured.add_users(f"{segment}/{name}", value.masked_fill(~member, torch.nan))


def add_diversity(measured: Measured, ids: Tensor, hot: Tensor, counts: Tensor) -> None:
    """Distance within the list, entropy of its categories, novelty, and coverage of the catalogue.

    Args:
        measured: Added to.
        ids: `(U, K)` ranked lists, of which the first 20 count.
        hot: `(n_items + 1, G)` categories of every item, 0 or 1.
        counts: `(n_items + 1,)` events of every item in training.
    """
    shown, n_items = ids[:, :LIST_LENGTH], len(hot) - 1
    measured.add_users(f"ild@{LIST_LENGTH}", M.intra_list_distance(shown, hot))
    measured.add_users(f"genre_entropy@{LIST_LENGTH}", M.category_entropy(shown, hot))
    measured.add_users(f"novelty@{LIST_LENGTH}", M.novelty(shown, counts))
    weights = resamples(len(ids))
    for name, metric in (("coverage", M.coverage), ("gini", M.gini)):
        value, replicates = metric(shown, n_items), metric(shown, n_items, weights)
        # A resample holds fewer different users, so both are biased; the spread is kept, the centre is not.
        measured.add_pooled(f"{name}@{LIST_LENGTH}", float(value), replicates - replicates.mean() + value)


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


def add_survival(measured: Measured, traced: Mapping[str, Candidates], targets: Tensor) -> None:
    """The share of each user's targets that is still alive after every stage of a funnel."""
    for stage, candidates in traced.items():
        if candidates.ids.shape[1]:
            value = M.recall_at_k(candidates.ids, targets, candidates.ids.shape[1])
            measured.add_users(f"survival/{stage}", value)


def add_unique_finds(measured: Measured, merged: Candidates, targets: Tensor, channels: list[str]) -> None:
    """The share of each user's targets that only one channel found, by channel."""
    for number, channel in enumerate(channels):
        only = merged.ids.masked_fill(merged.source != 1 << number, 0)
        measured.add_users(f"unique_finds/{channel}", M.recall_at_k(only, targets, only.shape[1]))


def _ratio(weights: Tensor, above: Tensor, below: Tensor) -> Tensor:
    """`(R,)` Σ above / Σ below under every resample `(R, U)` of users."""
    return (weights @ above.float()) / (weights @ below.float()).clamp(min=1e-12)

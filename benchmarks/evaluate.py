"""From ranked lists to metrics with intervals, and the arrays that they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.intervals import Interval, bootstrap_weights, pooled_interval, user_interval
from benchmarks.protocols import ProtocolConfig
from zoo.core.types import Candidates
from zoo.metrics import functional as M

LIST_LENGTH = 20
"""Length of the lists whose diversity is measured."""


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


def add_tail(
    measured: Measured, ids: Tensor, targets: Tensor, counts: Tensor, protocol: ProtocolConfig
) -> None:
    """Recall of the relevant items that are in the less popular half of the catalogue, as `tail/recall@k`.

    Args:
        measured: Added to.
        ids: `(U, K)` ranked lists.
        targets: `(U, T)` relevant items; users without any in the tail count nowhere.
        counts: `(n_items + 1,)` events of every item in training; of items with equal counts the older ids
            are more popular.
        protocol: Names the cut-offs.
    """
    place = counts[1:].argsort(descending=True, stable=True).argsort() + 1
    tail = torch.nn.functional.pad(place > len(place) // 2, (1, 0))
    hits, most = M.Hits.of(ids, targets * tail[targets]), ids.shape[1]
    for k in protocol.recall_at:
        if k <= most:
            measured.add_users(f"tail/recall@{k}", hits.recall(k))


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

"""A dataset under a protocol: snapshots in time, the measured requests, and what would have been right."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from benchmarks.datasets import DatasetConfig
from benchmarks.parts import ready
from benchmarks.protocols import ProtocolConfig
from benchmarks.splits import Moment, Split, split_of
from zoo.core.errors import UserError, did_you_mean
from zoo.core.types import Request
from zoo.data.encode import Encoder
from zoo.data.log import Log
from zoo.data.snapshot import DAY, Snapshot
from zoo.data.split import Events, Requests
from zoo.data.store import Store


@dataclass
class World:
    """Everything that runs of one dataset and protocol share; made once per process.

    Attributes:
        config: The dataset.
        protocol: How it is split.
        log: Its tables.
    """

    config: DatasetConfig
    protocol: ProtocolConfig
    log: Log
    _snapshots: dict[str, Snapshot] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log = ready(self.log, self.protocol, self.config.clock)

    @cached_property
    def events(self) -> Events:
        """All events in their one true order."""
        return Events.of(self.log, self.config.schema)

    @cached_property
    def split(self) -> Split:
        """What may be known, and what is measured."""
        return split_of(self.protocol, self.events, self.log)

    @cached_property
    def moment(self) -> Moment:
        """What may be known when the measured requests come."""
        return self.split.measured

    @cached_property
    def encoder(self) -> Encoder:
        """Fitted at the measured window's start, and shared by all earlier snapshots."""
        known = (self.moment.stop > self.events.offsets[:-1]).nonzero().squeeze(1)
        return Encoder.fit(self.log, self.config.schema, known, self.events.known(self.moment.stop))

    def snapshot(self, moment: Moment | None = None) -> Snapshot:
        """What is known at a moment, by default at the start of the measured window."""
        moment = moment or self.moment
        if moment.name not in self._snapshots:
            args = (self.log, self.events, self.encoder, moment.time, self.protocol.history_length)
            other = next(iter(self._snapshots.values()), None)
            shared = other.statistics if other else None
            self._snapshots[moment.name] = Snapshot.at(*args, moment.stop, shared)
        return self._snapshots[moment.name]

    @cached_property
    def requests(self) -> Requests:
        """The measured requests."""
        return self.split.requests()

    def request(self, requests: Requests, moment: Moment | None = None) -> Request:
        """Encoded requests, with all that each user has `seen`."""
        snapshot = self.snapshot(moment)
        seen = snapshot.history(requests, self.config.schema.base)
        return Request(snapshot.requests(requests) | {"seen": seen[:, :0] if self.protocol.repeats else seen})

    @cached_property
    def measured(self) -> Request:
        """The measured requests, encoded."""
        return self.request(self.requests)

    @cached_property
    def targets(self) -> Tensor:
        """`(N, T)` relevant items of the measured requests that the user has not seen, padded with 0."""
        task = self.protocol.target_task or self.config.schema.choice
        if task not in self.config.schema.behaviours:
            near = did_you_mean(task, self.config.schema.behaviours)
            raise UserError(
                f"protocol {self.protocol.name}: target_task: the dataset has no behaviour {task!r}{near}"
            )
        return self.snapshot().answers(self.requests, task)

    @cached_property
    def store(self) -> Store:
        """What a saved model needs."""
        return Store.of(self.snapshot())

    def population(self) -> dict[str, float]:
        """Who is measured: requests, new users, targets, span of the window, how far ahead answers lie."""
        requests, count = self.requests, (self.targets > 0).sum(1)
        has_target, known = count > 0, self.events.known(self.moment.stop)
        found = {
            "requests": len(requests),
            "requests_with_target": int(has_target.sum()),
            "new_users": int(requests.new.sum()),
            "new_users_with_target": int((requests.new & has_target).sum()),
            "targets": int(count.sum()),
            "targets_per_request": round(float(count[has_target].float().mean().nan_to_num()), 3),
            "training_events": int(known.sum()),
            "leaky": float(bool(self.protocol.leak)),
        }
        if self.config.clock == "seconds" and len(requests):
            span = requests.time.max() - requests.time.min()
            ahead = self.events.time[requests.stop - 1] - requests.time
            gap = self._gap_days()
            found |= {
                "span_days": round(float(span) / DAY, 2),
                "target_span_days": round(float(ahead.float().mean()) / DAY, 3),
                "gap_days": round(gap, 3),
            }
        return found

    def _gap_days(self) -> float:
        """The median time from the last known event of a user to the request, of known users."""
        requests = self.requests
        old = requests.end > self.events.offsets[requests.row]
        gap = (requests.time - self.events.time[(requests.end - 1).clamp(min=0)])[old]
        return float(gap.float().median()) / DAY if len(gap) else 0.0


def segment_names(requests: Requests) -> dict[str, Tensor]:
    """`(N,)` bool by segment that is reported on its own."""
    return {"new_users": requests.new, "known_users": ~requests.new}


def by_targets(targets: Tensor) -> dict[str, Tensor]:
    """`(N,)` bool by how many relevant items a request has: recall and NDCG can disagree between them."""
    count = (targets > 0).sum(1)
    return {
        "targets_1_4": (count >= 1) & (count <= 4),
        "targets_5_19": (count >= 5) & (count <= 19),
        "targets_20": count >= 20,
    }


def seeded(seed: int) -> torch.Generator:
    """A generator for draws that are no part of training."""
    return torch.Generator().manual_seed(seed)

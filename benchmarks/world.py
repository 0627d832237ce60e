"""A dataset under a protocol: snapshots in time, the measured requests, and what would have been right."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from benchmarks.configs import ProtocolConfig
from benchmarks.datasets import DatasetConfig
from zoo.core.errors import UserError, did_you_mean
from zoo.core.types import Request
from zoo.data.encode import Encoder
from zoo.data.log import Log
from zoo.data.snapshot import Snapshot
from zoo.data.split import Events, Requests, window
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
    _snapshots: dict[float, Snapshot] = field(default_factory=dict)

    @cached_property
    def events(self) -> Events:
        """All events in their one true order."""
        return Events.of(self.log, self.config.schema, self.protocol.tie_seed)

    @property
    def share(self) -> float:
        """Share of the events that models are fitted on: all that come before the measured window."""
        protocol = self.protocol
        return protocol.train if protocol.window == "validation" else protocol.train + protocol.validation

    @cached_property
    def encoder(self) -> Encoder:
        """Fitted at the measured window's start, and shared by all earlier snapshots."""
        known = (
            (self.events.before(self.events.cut(self.share)) > self.events.offsets[:-1]).nonzero().squeeze(1)
        )
        return Encoder.fit(self.log, self.config.schema, known)

    def snapshot(self, share: float | None = None) -> Snapshot:
        """What is known after a share of the events, by default at the start of the measured window."""
        share = self.share if share is None else share
        if share not in self._snapshots:
            cut, length = self.events.cut(share), self.protocol.history_length
            self._snapshots[share] = Snapshot.at(self.log, self.events, self.encoder, cut, length)
        return self._snapshots[share]

    def window(self, share: float, stop: float) -> Requests:
        """The requests between two shares of the events."""
        return window(self.events, self.events.cut(share), self.events.cut(stop), self.protocol.history_share)

    @cached_property
    def requests(self) -> Requests:
        """The measured requests."""
        return self.window(self.share, self.share + (self.protocol.validation if self._validating else 1))

    @property
    def _validating(self) -> bool:
        return self.protocol.window == "validation"

    def request(self, requests: Requests, share: float | None = None) -> Request:
        """Encoded requests, with all that each user has `seen`."""
        snapshot = self.snapshot(share)
        seen = snapshot.history(requests, self.config.schema.base)
        return Request(snapshot.requests(requests) | {"seen": seen})

    @cached_property
    def measured(self) -> Request:
        """The measured requests, encoded."""
        return self.request(self.requests)

    @cached_property
    def targets(self) -> Tensor:
        """`(N, T)` relevant items of the measured requests that the user has not seen, padded with 0."""
        task = self.protocol.target_task
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
        """Who is measured: requests, new users, targets, span of the window."""
        has_target = (self.targets > 0).any(1)
        time = self.requests.time
        return {
            "requests": len(self.requests),
            "requests_with_target": int(has_target.sum()),
            "new_users": int(self.requests.new.sum()),
            "new_users_with_target": int((self.requests.new & has_target).sum()),
            "targets": int((self.targets > 0).sum()),
            "training_events": int((self.events.time < self.snapshot().cut).sum()),
            "span_days": round(float(time.max() - time.min()) / 86400, 2) if len(time) else 0.0,
        }


def segment_names(requests: Requests) -> dict[str, Tensor]:
    """`(N,)` bool by segment that is reported on its own."""
    return {"new_users": requests.new, "known_users": ~requests.new}


def seeded(seed: int) -> torch.Generator:
    """A generator for draws that are no part of training."""
    return torch.Generator().manual_seed(seed)

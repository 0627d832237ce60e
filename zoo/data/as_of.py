"""Statistics of all requests of a view, found once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.core.types import Batch
from zoo.data.snapshot import Snapshot
from zoo.data.split import Requests

MOST = 2**28
"""Most numbers of statistics that an `EventView` keeps: 1 GiB, or 12 columns of 22 million events."""
AT_ONCE = 2**18
"""Events whose statistics are looked up at once, when all are."""


@dataclass(frozen=True)
class AsOf:
    """Statistics of all requests of a view, side by side: in the log's order they are soon found, and kept.

    Attributes:
        names: Of the columns.
        numbers: `(N, columns)`.
    """

    names: list[str]
    numbers: Tensor

    @classmethod
    def of(cls, snapshot: Snapshot, requests: Requests) -> AsOf | None:
        """None where there are no statistics, or more than is kept."""
        features = snapshot.statistics.features if snapshot.statistics else ()
        names = [name for name, role, _ in features if role == "user"]
        if not names or len(names) * len(requests) > MOST:
            return None
        numbers = torch.empty(len(requests), len(names))
        for rows in torch.arange(len(requests)).split(AT_ONCE):
            numbers[rows] = torch.stack(list(snapshot.as_of(requests.take(rows)).values()), dim=1)
        return cls(names, numbers)

    def batch(self, index: Tensor) -> Batch:
        """The rows at `index`."""
        return dict(zip(self.names, self.numbers[index].unbind(1), strict=True))

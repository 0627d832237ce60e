"""Requests as a log has them: what was shown together, and what each user had done before."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.data.split import Events, Requests, padded


@dataclass(frozen=True)
class Shown:
    """Requests, and the events that were shown in each; 56 bytes a request and 8 an event.

    Attributes:
        requests: In the order of their first events.
        event: `(M,)` places of the events, those of one request one after another in the log's order.
        offsets: `(N + 1,)` request n has the places `event[offsets[n]:offsets[n + 1]]`.
    """

    requests: Requests
    event: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, events: Events, index: Tensor, end: Tensor, together: bool) -> Shown:
        """The requests of some events.

        Args:
            events: All events.
            index: `(M,)` those that count, ascending.
            end: `(M,)` where the history of each ends.
            together: Whether events of one request are one, or each is a request of its own.
        """
        start = torch.arange(len(index))
        if together and events.request is not None:
            key, order = events.request[index].sort(stable=True)
            index, end = index[order], end[order]
            start = F.pad(key[1:] != key[:-1], (1, 0), value=True)[: len(key)].nonzero().squeeze(1)
        first, end = index[start], end[start]
        row = events.row[first]
        new = end == events.offsets[row]
        requests = Requests(row, end, first + 1, events.time[first], new, first)
        return cls(requests, index, F.pad(start, (0, 1), value=len(index)))

    def __len__(self) -> int:
        return len(self.requests)

    @property
    def sizes(self) -> Tensor:
        """`(N,)` how many events each request has."""
        return self.offsets.diff()

    def places(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """`(B, K)` events of the requests at `index`, and where there is one; 0 elsewhere."""
        start, stop = self.offsets[index], self.offsets[index + 1]
        return padded(self.event, start, stop), torch.arange(int((stop - start).max())) < (stop - start)[
            :, None
        ]

"""The rows of a view that came last, for models that are kept up to date."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from zoo.core.types import Batch
from zoo.data.views import EventView, View


@dataclass(frozen=True)
class Picked:
    """Some rows of a view, in an order of their own.

    Attributes:
        view: The rows.
        rows: `(N,)` which of them.
    """

    view: View
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: Tensor) -> Batch:
        """The rows at `index`."""
        return self.view.batch(self.rows[index])


def since(view: EventView, time: int) -> Picked:
    """The events from a time on, oldest first; those of one instant in the order of the log.

    Args:
        view: Whose cut is the end.
        time: Seconds since 1970 UTC.
    """
    when = view.requests.time
    order = when.argsort(stable=True)
    return Picked(view, order[when[order] >= time])

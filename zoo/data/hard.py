"""Training rows with negatives of their own, such as those that a later stage of a funnel turned down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from zoo.core.types import Batch
from zoo.data.views import View


@dataclass(frozen=True)
class HardView:
    """Adds `hard:<feature>` `(B, M, …)`, ids and static features of negatives that are hard for a row.

    Attributes:
        view: The rows.
        ids: `(T, M)` item ids of T requests, 0 is padding; the first is empty, for rows that have none.
        row: `(N,)` which of them each row has.
        catalogue: Features of all items, `(n_items + 1, …)`.
        features: Names of those to add, `item_id` among them.
    """

    view: View
    ids: Tensor
    row: Tensor
    catalogue: Batch
    features: Sequence[str]

    def __len__(self) -> int:
        return len(self.view)

    def batch(self, index: Tensor) -> Batch:
        """The rows at `index`."""
        ids = self.ids[self.row[index]]
        return self.view.batch(index) | {f"hard:{name}": self.catalogue[name][ids] for name in self.features}

"""Beyond-accuracy metrics as torchmetrics classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from zoo.metrics import functional
from zoo.metrics.functional.diversity import Similarity
from zoo.metrics.ranking import MeanOverUsers


class IntraListDistance(MeanOverUsers):
    """Mean of `functional.intra_list_distance` over lists."""

    items: Tensor

    def __init__(self, items: Tensor, similarity: Similarity = "cosine") -> None:
        super().__init__()
        self.register_buffer("items", items, persistent=False)
        self.similarity: Similarity = similarity

    def update(self, ids: Tensor) -> None:
        """Add lists `ids` `(B, K)`."""
        self._add(functional.intra_list_distance(ids, self.items, self.similarity))


class CategoryEntropy(MeanOverUsers):
    """Mean of `functional.category_entropy` over lists."""

    multi_hot: Tensor

    def __init__(self, multi_hot: Tensor) -> None:
        super().__init__()
        self.register_buffer("multi_hot", multi_hot, persistent=False)

    def update(self, ids: Tensor) -> None:
        """Add lists `ids` `(B, K)`."""
        self._add(functional.category_entropy(ids, self.multi_hot))


class Novelty(MeanOverUsers):
    """Mean of `functional.novelty` over lists."""

    counts: Tensor

    def __init__(self, counts: Tensor) -> None:
        super().__init__()
        self.register_buffer("counts", counts, persistent=False)

    def update(self, ids: Tensor) -> None:
        """Add lists `ids` `(B, K)`."""
        self._add(functional.novelty(ids, self.counts))


class _Exposure(Metric):
    """How often each item was shown, which is all that catalogue metrics need."""

    full_state_update = False
    is_differentiable = False
    shown: Tensor

    def __init__(self, n_items: int) -> None:
        super().__init__()
        self.add_state("shown", torch.zeros(n_items, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, ids: Tensor) -> None:
        """Add lists `ids` `(B, K)`."""
        self.shown += functional.exposure(ids, len(self.shown))


class Coverage(_Exposure):
    """`functional.coverage` of all lists."""

    higher_is_better = True

    def compute(self) -> Tensor:
        """Share of the catalogue that was shown."""
        return functional.coverage_of(self.shown)


class Gini(_Exposure):
    """`functional.gini` of all lists."""

    higher_is_better = False

    def compute(self) -> Tensor:
        """Gini index of exposure."""
        return functional.gini_of(self.shown)

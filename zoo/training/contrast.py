"""Options of training an embedding model: what is a positive, what a negative, and the loss between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.errors import did_you_mean
from zoo.core.rows import Rows, Sampling, Unit
from zoo.losses import (
    Contrast,
    cosine_contrastive,
    sampled_bce,
    softmax_contrast,
    triplet_hinge,
    triplet_logistic,
)

Training = Literal["listwise", "pointwise", "pairwise_hinge", "pairwise_logistic", "contrastive"]
DRAWN: dict[str, Sampling] = {
    "in_batch": "",
    "uniform": "uniform",
    "popularity": "popularity",
    "mixed": "uniform",
    "all": "all",
}
"""What is drawn from the catalogue for each scheme of negatives."""
EXPOSED = ("exposed", "exposure", "exposed_not_clicked", "impression", "shown")


@dataclass(frozen=True)
class ContrastConfig(ModelConfig):
    """How positives are set against negatives; a part of an embedding model's options.

    Attributes:
        training: `listwise` is a softmax over each positive and the negatives, `pointwise` binary
            cross-entropy, `pairwise_hinge` and `pairwise_logistic` compare a positive with each negative, and
            `contrastive` is the cosine contrastive loss of SimpleX.
        negatives: `in_batch` (the other rows' positives), `uniform` over the catalogue, `popularity`
            (in proportion to clicks^0.75), `mixed` (in-batch and uniform), or `all` items.
        n_negatives: Drawn for the whole batch, shared by its rows, by `uniform`, `popularity` and `mixed`.
        correct: Correct for how likely an item is to be a negative (log-Q), where that differs by item.
        mask_history: The items of a row's history are no negatives of it.
        temperature: Divides the cosine in `listwise` and `pointwise`.
        margin: Of `pairwise_hinge`, between a positive and a negative; of `contrastive`, below which a
            negative's cosine costs nothing.
        sigma: Scale of `pairwise_logistic`.
        negative_weight: Of all negatives of a row together, in `pointwise` and `contrastive`; its positive
            weighs 1.
        positive_power: An event weighs its item's popularity to minus this power: above 0, hot items are
            down-sampled and cold ones up-sampled, in expectation.
        activity_power: A positive weighs the number of positives of its row to minus this power: 0 weighs
            all positives the same, 1 all users of `users` or `sets`.
        rows: `events`, `users` or `sets` (for logs without order): see `zoo.core.rows.Rows`.
        history_share: Part of a user's events that is the history in a row of `users` or `sets`; None for a
            part drawn anew each time.
        n_positives: Of a row of `users` or `sets`, at most; None for all.
    """

    training: Training = "listwise"
    negatives: str = "in_batch"
    n_negatives: int = 1000
    correct: bool = True
    mask_history: bool = False
    temperature: float = 0.1
    margin: float = 0.4
    sigma: float = 10.0
    negative_weight: float = 3.0
    positive_power: float = 0.0
    activity_power: float = 0.0
    rows: Unit = "events"
    history_share: float | None = None
    n_positives: int | None = None

    def __post_init__(self) -> None:
        exposed = self.negatives in EXPOSED
        near = did_you_mean(self.negatives, DRAWN)
        known = f"negatives must be one of {', '.join(DRAWN)}, found {self.negatives!r}{near}"
        why = (
            "negatives must not be what was exposed and not clicked: it was recalled because it fits the "
            "user, so a retriever that learns to drop it loses good items; exposures are for rankers"
        )
        demand(
            (not exposed, why),
            (exposed or self.negatives in DRAWN, known),
            (self.n_negatives >= 1, f"n_negatives must be at least 1, found {self.n_negatives}"),
            (self.temperature > 0, f"temperature must be above 0, found {self.temperature}"),
            (self.sigma > 0, f"sigma must be above 0, found {self.sigma}"),
            (self.negative_weight > 0, f"negative_weight must be above 0, found {self.negative_weight}"),
            (
                self.history_share is None or 0 <= self.history_share < 1,
                f"history_share must be in [0, 1) or null, found {self.history_share}",
            ),
            (self.n_positives is None or self.n_positives >= 1, "n_positives must be at least 1 or null"),
        )

    def wanted(self, history_length: int | None) -> Rows:
        """The rows that such a training needs."""
        drawn, power = DRAWN[self.negatives], self.positive_power
        count = 0 if drawn in ("", "all") else self.n_negatives
        share, most = self.history_share, self.n_positives
        return Rows(history_length, self.rows, "", share, most, power, drawn, count)

    @property
    def plain(self) -> bool:
        """Whether it is the in-batch softmax with log-Q correction of Yi et al. over events."""
        common = self.training == "listwise" and self.negatives == "in_batch" and self.rows == "events"
        return common and self.correct and not self.mask_history

    @property
    def in_batch(self) -> bool:
        """Whether the rows' positives are one another's negatives."""
        return self.negatives in ("in_batch", "mixed")

    def loss(self, scores: Contrast) -> Tensor:
        """That of `training`."""
        if self.training == "listwise":
            return softmax_contrast(scores, self.temperature)
        if self.training == "pointwise":
            return sampled_bce(scores, self.temperature, self.negative_weight)
        if self.training == "pairwise_hinge":
            return triplet_hinge(scores, self.margin)
        if self.training == "pairwise_logistic":
            return triplet_logistic(scores, self.sigma)
        return cosine_contrastive(scores, self.margin, self.negative_weight)

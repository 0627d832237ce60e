"""Labels that are numbers, such as seconds watched or the share played, learned by cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.core.errors import UserError, did_you_mean
from zoo.core.schema import Feature
from zoo.core.types import Batch
from zoo.layers.embedding import CLIP

ValueForm = Literal["weighted_logistic", "regression", "binary"]
"""How a number becomes a target, see `target`."""

FINISHED = 0.8
"""Above this share played, an item was watched to the end."""
BINS = 20
"""Of a number, between the values that standardising clips."""
PRIOR_ROWS = 20
"""Rows of the overall mean that a bin starts with."""


def target(form: ValueForm, label: Tensor) -> Tensor:
    """What the sigmoid of an output is trained towards, in [0, 1].

    Args:
        form: `weighted_logistic`: t / (1 + t) for t ≥ 0, so that the odds `exp(z)` are t itself; "Deep Neural
            Networks for YouTube Recommendations" (Covington et al., RecSys 2016,
            https://doi.org/10.1145/2959100.2959190). `regression`: the share itself, at most 1, as an item
            that was played twice was finished. `binary`: whether the share is above `FINISHED`.
        label: Any shape, not negative.
    """
    if form == "weighted_logistic":
        return label / (1 + label)
    return label.clamp(max=1) if form == "regression" else (label > FINISHED).to(label.dtype)


def predicted(form: ValueForm, logits: Tensor) -> Tensor:
    """What is expected of the label: `exp(z)` seconds, a share, or the probability of finishing."""
    return logits.exp() if form == "weighted_logistic" else logits.sigmoid()


def truth(form: ValueForm, label: Tensor) -> Tensor:
    """What `predicted` is to be compared with: the label, a share at most 1, NaN where it is not defined."""
    known = label if form == "weighted_logistic" else target(form, label)
    return known.where(~label.isnan(), torch.nan)


def label_of(batch: Batch, name: str, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The label of a value, 0 where it is not defined, and where it is.

    Args:
        batch: With `label:<name>` `(B, K)`, NaN where it is not defined.
        name: Of the value.
        mask: `(B, K)` where there is an item.

    Raises:
        UserError: The rows have no such label, or one is negative.
    """
    if (key := f"label:{name}") not in batch:
        known = [other.removeprefix("label:") for other in batch if other.startswith("label:")]
        near = did_you_mean(name, known) or "; rows that were shown have those of kind explicit"
        raise UserError(f"values: the rows have no label {name!r}{near}")
    defined = mask & ~batch[key].isnan()
    label = batch[key].where(defined, 0)
    if (label < 0).any():
        raise UserError(f"values: label {name!r} is {label.min().item():g}, expected not negative")
    return label, defined


class DurationCurve(nn.Module):
    """f(duration): the mean target of items of about the same duration, counted while a model is trained.

    Short items are finished more often, so a share says little unless it is compared with that of its like.

    Args:
        duration: The item feature; a number is put into bins of its standardised value, ids have one each.
    """

    total: Tensor
    count: Tensor

    def __init__(self, duration: Feature) -> None:
        super().__init__()
        if duration.kind not in ("numeric", "categorical"):
            found = f"feature {duration.name!r} is {duration.kind}"
            raise UserError(f"duration: {found}, expected a number or its bins")
        self.feature = duration
        size = BINS if duration.kind == "numeric" else duration.vocab
        self.register_buffer("total", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("count", torch.zeros(size, dtype=torch.float64))

    def bins(self, batch: Batch) -> Tensor:
        """`(B, K)` bin of every item."""
        value = batch[self.feature.name]
        if self.feature.kind == "categorical":
            return value
        scaled = (value - self.feature.mean) / self.feature.std / CLIP
        return ((scaled.clamp(-1, 1) + 1) / 2 * BINS).long().clamp(max=BINS - 1)

    @torch.no_grad()
    def add(self, batch: Batch, target: Tensor, defined: Tensor) -> None:
        """Counts the targets `(B, K)` of a batch where they are `defined`."""
        where, size = self.bins(batch)[defined], len(self.count)
        self.total += torch.bincount(where, target[defined].double(), minlength=size)
        self.count += torch.bincount(where, minlength=size)

    def forward(self, batch: Batch) -> Tensor:
        """`(B, K)` f(duration), above 0; that of all where a bin has seen little, 1 before training."""
        mean = (self.total.sum() + 1) / (self.count.sum() + 1)
        curve = (self.total + PRIOR_ROWS * mean) / (self.count + PRIOR_ROWS)
        return curve.float()[self.bins(batch)]


def expected(logits: Batch, values: Mapping[str, ValueForm], curves: nn.ModuleDict, batch: Batch) -> Batch:
    """`(B, K)` by value what is expected of its label.

    A share whose curve is known has a second one, `<name>:relative`, divided by that of items as long.
    """
    found: Batch = {}
    for name, form in values.items():
        found[name] = predicted(form, logits[name])
        if name in curves:
            found[f"{name}:relative"] = found[name] / curves[name](batch)
    return found

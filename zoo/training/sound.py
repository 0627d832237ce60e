"""Whether a batch holds what its schema says, so that a mistake is told by column and not as a NaN later."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.schema import Feature, Schema
from zoo.core.types import Batch


def check_sound(batch: Batch, schema: Schema) -> None:
    """Checks the columns of a batch for rankers; those that are not there are nobody's mistake.

    Args:
        batch: Features, and `label:<task>` `(B, K)`, NaN where it is not defined.
        schema: Features and tasks.

    Raises:
        UserError: A label is missing or outside [0, 1], a number is NaN, or an id is not in the vocabulary.
    """
    for feature in schema:
        if feature.name in batch:
            _check_feature(feature, batch[feature.name])
    mask = batch["item_id"] > 0
    for task in schema.tasks:
        name = f"label:{task.name}"
        if name not in batch:
            raise UserError(f"column {name!r} is missing: the schema has a task {task.name!r}")
        labels = batch[name]
        _refuse(name, labels, mask & ((labels < 0) | (labels > 1)), "labels from 0 to 1, or NaN if unknown")


def _check_feature(feature: Feature, values: Tensor) -> None:
    if values.is_floating_point():
        # Beside no candidate too: a NaN times a gradient of 0 is NaN.
        _refuse(
            feature.name, values, values.isnan(), f"numbers; give what is unknown the mean {feature.mean:g}"
        )
    elif feature.vocab:
        outside = (values < 0) | (values >= feature.vocab)
        expected = f"ids from 0 (unknown) to {feature.vocab - 1}, the last of its vocabulary"
        _refuse(feature.name, values, outside, expected)


def _refuse(name: str, values: Tensor, bad: Tensor, expected: str) -> None:
    if bad.any():
        where = torch.broadcast_to(bad, values.shape)
        first, count = values[where][0].item(), int(where.sum())
        raise UserError(f"column {name!r}: found {first:g} ({count:,} such), expected {expected}")

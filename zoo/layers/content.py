"""Features of items to vectors without any learning."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.schema import Feature
from zoo.core.types import Batch
from zoo.layers.embedding import CLIP

LARGEST = 10_000
"""Values of a feature that may have a dimension each."""


def content_vectors(features: Sequence[Feature], catalogue: Batch) -> Tensor:
    """`(n_items + 1, D)`: every set of values as a unit vector, all numbers together as about one more.

    A categorical or multi feature has a dimension per value, 0 for unknown ones, so that the inner product of
    two items is their cosine of values; numbers are standardised, clipped, and divided by the root of their
    count, so that a content vector given as many numeric columns weighs as much as one set of values.

    Args:
        features: Static item features.
        catalogue: `(n_items + 1, …)` by feature name.

    Raises:
        UserError: There is no feature, one is not of the items, or has too many values.
    """
    if not features:
        raise UserError("the items have no features to make vectors of")
    for feature in features:
        if feature.role != "item":
            raise UserError(f"feature {feature.name!r} is of role {feature.role}, expected one of role item")
        if feature.vocab > LARGEST:
            raise UserError(
                f"feature {feature.name!r} has {feature.vocab:,} values, expected at most {LARGEST:,} "
                "to make vectors of"
            )
    sets = [feature for feature in features if feature.kind in ("categorical", "multi")]
    numbers = [feature for feature in features if feature.kind == "numeric"]
    parts = [_indicator(catalogue[feature.name], feature.vocab) for feature in sets]
    if numbers:
        columns = [((catalogue[f.name] - f.mean) / f.std).clamp(-CLIP, CLIP) for f in numbers]
        parts.append(torch.stack(columns, dim=1) / len(numbers) ** 0.5)
    return torch.cat(parts, dim=1)


def _indicator(ids: Tensor, vocab: int) -> Tensor:
    """`(N, vocab)` of unit length from ids `(N,)` or `(N, length)`, 0 for padding."""
    ids = ids.view(len(ids), -1)
    found = torch.zeros(len(ids), vocab, device=ids.device).scatter_(1, ids, 1)
    found[:, 0] = 0
    return F.normalize(found, dim=1)

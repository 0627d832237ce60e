"""Features as the columns of one table, for models that are no networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from zoo.core.schema import Feature
from zoo.core.types import Batch


def cells_of(features: Sequence[Feature], batch: Batch) -> Batch:
    """`(B, K, …)` by feature name; what is a request's is repeated for its candidates."""
    places = batch["item_id"].shape
    cells = {feature.name: batch[feature.name] for feature in features}
    repeated = {f.name: cells[f.name] for f in features if f.request_level}
    return cells | {name: x[:, None].expand(*places, *x.shape[1:]) for name, x in repeated.items()}


def columns_of(features: Sequence[Feature]) -> list[Feature]:
    """Those that have one column each; a multi one has several, behind all of these."""
    return [feature for feature in features if feature.kind != "multi"]


def table(features: Sequence[Feature], cells: Batch, values: Mapping[str, Tensor]) -> Tensor:
    """`(…, C)` float32.

    A number is as it is, an id too, NaN where it is 0 (unknown); a multi feature has a column for each of its
    `values`, how often it is in the cell.

    Args:
        features: Categorical, multi and numeric ones.
        cells: `(…)` by feature name, `(…, length)` of a multi one.
        values: `(V,)` ids by multi feature.
    """
    columns = [_number(feature, cells[feature.name]) for feature in columns_of(features)]
    counts = [
        (cells[name][..., None] == ids).sum(-2).float().unbind(-1)
        for name, ids in ((f.name, values[f.name]) for f in features if f.kind == "multi")
    ]
    return torch.stack([*columns, *(column for several in counts for column in several)], dim=-1)


def frequent(ids: Tensor, vocab: int, most: int) -> Tensor:
    """`(V,)` the `most` most frequent ids of a multi feature `(N, length)`, of equal ones the lower."""
    count = torch.bincount(ids.flatten(), minlength=vocab)[1:]
    order = count.argsort(descending=True, stable=True)[:most]
    return order[count[order] > 0].sort().values + 1


def _number(feature: Feature, values: Tensor) -> Tensor:
    if feature.kind == "numeric":
        return values.float()
    return values.float().masked_fill(values == 0, torch.nan)

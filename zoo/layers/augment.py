"""Two views of the same items, made by hiding features, for self-supervision.

"Self-supervised Learning for Large-scale Item Recommendations" (Yao et al., CIKM 2021,
https://arxiv.org/abs/2007.12865). The ID is a feature like the others: an item whose ID is hidden must
be known by its other features, which are all that a rare item has. Unlike in the paper, every transform takes
two views, so that several can be applied one after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from zoo.core.schema import Feature
from zoo.core.types import Batch

Views: TypeAlias = tuple[Batch, Batch]
"""Item features `(N, …)` twice; row i of both is the same item."""


def masked(items: Batch, features: Sequence[Feature], mask: Tensor) -> Batch:
    """The items with a feature's default in place of its value where `mask` `(N, F)` is True.

    The default is 0, which stands for unknown, and the mean of a numeric feature.
    """
    out = dict(items)
    for feature, hidden in zip(features, mask.unbind(1), strict=True):
        values = items[feature.name]
        default = feature.mean if feature.kind == "numeric" else 0
        out[feature.name] = values.masked_fill(hidden if values.dim() == 1 else hidden[:, None], default)
    return out


def random_mask(views: Views, features: Sequence[Feature], rate: float) -> Views:
    """Hides each feature with probability `rate`, drawn anew for every item and view; one is always left."""
    first, second = (masked(view, features, _mask(view, features, rate)) for view in views)
    return first, second


def dropout(views: Views, features: Sequence[Feature], rate: float = 0.5) -> Views:
    """Leaves out each value of a multi-valued feature with probability `rate`, whatever its other values."""
    multi = [feature.name for feature in features if feature.kind == "multi"]

    def thinned(view: Batch) -> Batch:
        gone = {name: torch.rand(view[name].shape, device=view[name].device) < rate for name in multi}
        return view | {name: view[name].masked_fill(mask, 0) for name, mask in gone.items()}

    return thinned(views[0]), thinned(views[1])


def complement(views: Views, features: Sequence[Feature]) -> Views:
    """Splits the features at random, half to either view: what one shows the other hides."""
    return _split(views, features, torch.randperm(len(features))[: len(features) // 2])


def related(views: Views, features: Sequence[Feature], information: Tensor) -> Views:
    """Hides a feature and those most related to it in the first view, all others in the second.

    Of k + 1 features, the one drawn is hidden with its k/2 (rounded down) most related ones, so that what is
    hidden cannot be told from what is left.

    Args:
        views: Of N items.
        features: F of them, at least 2.
        information: `(F, F)` mutual information.
    """
    seed = int(torch.randint(len(features), ()))
    order = information[seed].index_fill(0, torch.tensor(seed, device=information.device), torch.inf)
    return _split(
        views, features, order.argsort(descending=True, stable=True)[: 1 + (len(features) - 1) // 2]
    )


def mutual_information(catalogue: Batch, features: Sequence[Feature], bins: int = 10) -> Tensor:
    """`(F, F)` `MI(U, V) = Σ p(u,v) log(p(u,v) / (p(u) p(v)))` in nats, over the items of a catalogue.

    Every item weighs the same: of m values of one feature and n of another, each pair counts 1/(m·n). Items
    for which either is unknown do not count.

    Args:
        catalogue: `(n_items + 1, …)`, row 0 is padding.
        features: Of items.
        bins: Quantiles that a numeric feature is cut at.
    """
    values = [_discrete(catalogue[feature.name][1:].cpu(), bins) for feature in features]
    out = torch.zeros(len(features), len(features))
    for i, j in combinations_with_replacement(range(len(features)), 2):
        out[i, j] = out[j, i] = _information(values[i], values[j])
    return out


def _mask(view: Batch, features: Sequence[Feature], rate: float) -> Tensor:
    like = view[features[0].name]
    draw = torch.rand(len(like), len(features), device=like.device)
    return (draw < rate).scatter(1, draw.argmax(1, keepdim=True), False)


def _split(views: Views, features: Sequence[Feature], hidden: Tensor) -> Views:
    """Hides `hidden` in the first view, the others in the second.

    The same for the whole batch: if each item had its own split, a view could be matched with the other of
    its item by what both hide, and nothing would be learned of the items.
    """
    like = views[0][features[0].name]
    mask = torch.zeros(len(features), dtype=torch.bool, device=like.device)
    mask[hidden.to(like.device)] = True
    mask = mask.expand(len(like), -1)
    return masked(views[0], features, mask), masked(views[1], features, ~mask)


def _discrete(values: Tensor, bins: int) -> Tensor:
    """`(N, L)` ids, 0 for unknown, of any feature."""
    if values.is_floating_point():
        edges = np.quantile(values.double().numpy(), np.arange(1, bins) / bins)
        values = torch.from_numpy(
            1 + np.searchsorted(np.unique(edges), values.double().numpy(), side="right")
        )
    return values if values.dim() == 2 else values[:, None]


def _information(u: Tensor, v: Tensor) -> float:
    """Mutual information of ids `(N, L)` and `(N, M)`, 0 is unknown."""
    known = (u > 0)[:, :, None] & (v > 0)[:, None, :]
    if not known.any():
        return 0.0
    weight = (known / known.sum((1, 2), keepdim=True).clamp(min=1))[known].double()
    width = int(v.max()) + 1
    pairs, place = (u[:, :, None] * width + v[:, None, :])[known].unique(return_inverse=True)
    joint = torch.bincount(place, weights=weight) / weight.sum()
    p_u, p_v = (torch.bincount(ids, weights=joint)[ids] for ids in (pairs // width, pairs % width))
    return float((joint * (joint / (p_u * p_v)).log()).sum())

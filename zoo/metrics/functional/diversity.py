"""Beyond-accuracy metrics of recommended lists `ids` `(B, K)`, 0 = padding.

Per-list metrics return float32 `(B,)`, NaN where the list is too short to have a value. Metrics of exposure
over the catalogue pool all lists into one number, or one per bootstrap replicate when list weights are given.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Similarity = Literal["cosine", "jaccard", "matrix"]


def intra_list_distance(ids: Tensor, items: Tensor, similarity: Similarity = "cosine") -> Tensor:
    """Mean of 1 - similarity over all pairs of a list; NaN for lists of fewer than two items.

    An item without any feature is similar to nothing, so its distance to every other is 1.

    Args:
        ids: `(B, K)`.
        items: `(n_items + 1, G)` multi-hot categories (or any features, for cosine), row 0 unused;
            `(n_items + 1, n_items + 1)` similarities when `similarity` is `"matrix"`.
        similarity: How to compare two rows of `items`.

    Returns:
        `(B,)`.
    """
    valid = ids > 0
    pairs = (valid[:, :, None] & valid[:, None, :]).triu(1)
    distance = 1 - _similarities(ids, items, similarity)
    return distance.where(pairs, 0).sum(dim=(1, 2)) / pairs.sum(dim=(1, 2))


def category_entropy(ids: Tensor, multi_hot: Tensor) -> Tensor:
    """Shannon entropy in nats of a list's categories, each item's mass split evenly over its own.

    Args:
        ids: `(B, K)`.
        multi_hot: `(n_items + 1, G)` 0/1 categories; items without any carry no mass.

    Returns:
        `(B,)`, NaN for a list without mass.
    """
    share = _without_padding(multi_hot)
    share = share / share.sum(dim=1, keepdim=True).clamp(min=1)
    mass = F.embedding(ids, share).sum(dim=1)
    entropy: Tensor = torch.special.entr(mass / mass.sum(dim=1, keepdim=True)).sum(dim=1)
    return entropy


def novelty(ids: Tensor, counts: Tensor) -> Tensor:
    """Mean self-information -log2 p of a list's items, p an item's share of all interactions.

    Args:
        ids: `(B, K)`.
        counts: `(n_items + 1,)` interactions by item id; an item with none counts as seen once.

    Returns:
        `(B,)`, NaN for an empty list.
    """
    bits = counts[1:].sum().double().log2() - counts.double().clamp(min=1).log2()
    valid = ids > 0
    return (bits[ids].where(valid, 0).sum(dim=1) / valid.sum(dim=1)).float()


def exposure(ids: Tensor, n_items: int, weights: Tensor | None = None) -> Tensor:
    """How often each item was shown.

    Args:
        ids: `(B, K)`.
        n_items: Size of the catalogue.
        weights: `(R, B)` how often each replicate drew each list; every list once by default.

    Returns:
        `(R, n_items)` float64, or `(n_items,)` without weights.
    """
    if weights is None:
        return torch.bincount(ids.flatten(), minlength=n_items + 1)[1:].double()
    shown = torch.zeros(len(weights), n_items + 1, dtype=torch.float64, device=ids.device)
    for column in ids.T:
        shown.index_add_(1, column, weights.double())
    return shown[:, 1:]


def coverage(ids: Tensor, n_items: int, weights: Tensor | None = None) -> Tensor:
    """Share of the catalogue that was shown to anyone, a scalar or `(R,)`; arguments as in `exposure`."""
    return coverage_of(exposure(ids, n_items, weights))


def coverage_of(shown: Tensor) -> Tensor:
    """Coverage of an `exposure` `(…, n_items)`."""
    return (shown > 0).double().mean(dim=-1)


def gini(ids: Tensor, n_items: int, weights: Tensor | None = None) -> Tensor:
    """Gini index of exposure over the whole catalogue, a scalar or `(R,)`; arguments as in `exposure`.

    0 when all items are shown alike, (n - 1) / n when one item takes all, NaN when nothing was shown.
    """
    return gini_of(exposure(ids, n_items, weights))


def gini_of(shown: Tensor) -> Tensor:
    """Gini index of an `exposure` `(…, n_items)`."""
    n_items = shown.shape[-1]
    rank = torch.arange(1, n_items + 1, dtype=shown.dtype, device=shown.device)
    share = shown.sort(dim=-1).values / shown.sum(dim=-1, keepdim=True)
    return (2 * (share * rank).sum(dim=-1) - n_items - 1) / n_items


def _similarities(ids: Tensor, items: Tensor, similarity: Similarity) -> Tensor:
    """`(B, K, K)` similarity of every two positions."""
    if similarity == "matrix":
        return items[ids[:, :, None], ids[:, None, :]].float()
    if similarity not in ("cosine", "jaccard"):
        raise ValueError(f"similarity must be 'cosine', 'jaccard' or 'matrix', got {similarity!r}")
    rows = F.embedding(ids, items.float())
    if similarity == "cosine":
        rows = F.normalize(rows, dim=-1)
        return rows @ rows.mT
    common, size = rows @ rows.mT, rows.sum(dim=-1)
    return common / (size[:, :, None] + size[:, None, :] - common).clamp(min=1)


def _without_padding(multi_hot: Tensor) -> Tensor:
    """Float copy whose row 0 is zero, so that padding carries no mass."""
    return F.pad(multi_hot[1:].float(), (0, 0, 1, 0))

"""A history of items to one vector."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def recency(history: Tensor, half_life: float | None) -> Tensor:
    """`(B, L)` float weight of every event: halved every `half_life` events back, 0 for padding.

    Args:
        history: `(B, L)` item ids, newest first.
        half_life: In events; None weighs all events the same.
    """
    weight = (history > 0).float()
    if half_life is None:
        return weight
    back = torch.arange(history.shape[1], device=history.device)
    return weight * 0.5 ** (back / half_life)


def history_mean(table: nn.Embedding, history: Tensor, half_life: float | None = None) -> Tensor:
    """`(B, D)` recency-weighted mean of the item embeddings of a history; zero for an empty one.

    Args:
        table: The item embeddings.
        history: `(B, L)` item ids, newest first.
        half_life: In events; None for a plain mean.
    """
    weight = recency(history, half_life)
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1e-9)
    return history_sum(table, history, weight)


def history_sum(table: nn.Embedding, history: Tensor, weight: Tensor) -> Tensor:
    """`(B, D)` sum of the item embeddings of a history by weights `(B, L)`.

    It is one fused sum: the `(B, L, D)` vectors of all events are never in memory.
    """
    return F.embedding_bag(
        history, table.weight, mode="sum", per_sample_weights=weight, padding_idx=0, sparse=table.sparse
    )

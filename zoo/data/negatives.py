"""Items that a user did not choose, drawn for training and for frozen evaluation candidates."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.core.topk import is_member, without_repeats


def uniform(n_items: int, count: int, exclude: Tensor, generator: torch.Generator) -> Tensor:
    """Distinct items drawn uniformly from the catalogue, other than those excluded.

    Args:
        n_items: Ids are 1..n_items.
        count: Items per row; a row that runs out of items is padded with 0.
        exclude: `(N, S)` item ids, 0 is padding.
        generator: Source of the draw.

    Returns:
        `(N, count)` int64.
    """
    rows = len(exclude)
    pool = torch.arange(1, n_items + 1).expand(rows, -1)
    if count + exclude.shape[1] >= n_items // 2:  # rejection would run dry, so draw from an explicit pool
        return choose(pool, count, exclude, generator)
    drawn = torch.randint(1, n_items + 1, (rows, 2 * count + exclude.shape[1]), generator=generator)
    found = _compact(without_repeats(drawn).masked_fill(is_member(drawn, exclude), 0), count)
    if (dry := (found == 0).any(dim=1)).any():  # too many repeats, as now and then in a small catalogue
        found[dry] = choose(pool[dry], count, exclude[dry], generator)
    return found


def choose(pool: Tensor, count: int, exclude: Tensor, generator: torch.Generator) -> Tensor:
    """Distinct items drawn uniformly from each row's own pool, other than those excluded.

    Args:
        pool: `(N, P)` distinct item ids, 0 is padding.
        count: Items per row, fewer where the pool is smaller.
        exclude: `(N, S)` item ids, 0 is padding.
        generator: Source of the draw.

    Returns:
        `(N, count)` int64, padded with 0.
    """
    order = torch.rand(pool.shape, generator=generator).argsort(dim=1)
    shuffled = pool.gather(1, order)
    return _compact(shuffled.masked_fill(is_member(shuffled, exclude), 0), count)


def _compact(ids: Tensor, count: int) -> Tensor:
    kept = ids.gather(1, (ids == 0).int().argsort(dim=1, stable=True))[:, :count]
    return torch.nn.functional.pad(kept, (0, count - kept.shape[1]))

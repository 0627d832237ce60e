"""Which few events of a long history matter to a candidate."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SCORES = 1 << 24
"""Most scores of candidates and events held at once, 64 MiB; always those of one request at least."""


def same_category(history: Tensor, candidate: Tensor, k: int) -> Tensor:
    """`(B, K, k)` places of the newest `k` events of each candidate's category, newest first, -1 behind.

    A history is sorted once; what a candidate then costs grows with `k`, and with the length's logarithm.

    Args:
        history: `(B, L)` category of each event, newest first, 0 for padding or an unknown one.
        candidate: `(B, K)` category of each candidate; 0 finds nothing.
        k: Most events of one candidate.
    """
    ordered, place = history.sort(dim=1, stable=True)
    # So that places behind the last event are there to be read, and are of no category.
    ordered, place = F.pad(ordered, (0, k), value=-1), F.pad(place, (0, k), value=-1)
    start = torch.searchsorted(ordered[:, : history.shape[1]].contiguous(), candidate.contiguous())
    at = (start[..., None] + torch.arange(k, device=history.device)).flatten(1)
    found, category = place.gather(1, at).view(*candidate.shape, k), ordered.gather(1, at)
    same = (category.view_as(found) == candidate[..., None]) & (candidate > 0)[..., None]
    return found.masked_fill(~same, -1)


@torch.no_grad()
def nearest(query: Tensor, key: Tensor, mask: Tensor, k: int) -> Tensor:
    """`(B, K, k)` places of the events of the largest inner product, in no order, -1 where there are fewer.

    Among equals the newest events are taken. This is exact, so that the one step of a long history whose cost
    grows with its length is a matrix product and one pass over it; what is made of the events found does not.

    Args:
        query: `(B, K, D)` candidates.
        key: `(B, L, D)` events, newest first.
        mask: `(B, L)` where there is one.
        k: Events of one candidate.
    """
    # Compiling it takes a moment that only those pay who search.
    from zoo.kernels.nearest import best_places

    # One more dimension is -inf at padding, which is cheaper than a mask as large as the scores.
    query = F.pad(query.float(), (0, 1), value=1.0).cpu()
    hidden = torch.zeros_like(mask, dtype=torch.float32).masked_fill(~mask, -torch.inf)
    key = torch.cat([key.float(), hidden[..., None]], dim=-1).transpose(1, 2).cpu()
    step = max(1, SCORES // max(1, query.shape[1] * key.shape[2]))
    parts = zip(query.split(step), key.split(step), strict=True)
    found = [best_places(torch.bmm(*part).flatten(0, 1), k) for part in parts]
    return torch.cat(found).view(*query.shape[:2], k).to(mask.device)

"""Two views of one thing should be more alike than views of different things."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive(first: Tensor, second: Tensor, ids: Tensor, temperature: float = 0.1) -> Tensor:
    """`−log(exp(cos(b′_i, b″_i)/τ) / Σ_j exp(cos(b′_i, b″_j)/τ))`, the mean over i.

    Yao et al., "Self-supervised Learning for Large-scale Item Recommendations", CIKM 2021,
    https://arxiv.org/abs/2007.12865. Another row with the same id is no other thing: the sum leaves it out.

    Args:
        first: `(N, D)`, the views b′.
        second: `(N, D)`, the views b″.
        ids: `(N,)` of which item.
        temperature: Divides the cosine, above 0.

    Returns:
        Scalar.
    """
    logits = F.normalize(first, dim=1) @ F.normalize(second, dim=1).T / temperature
    same = (ids[:, None] == ids).fill_diagonal_(False)
    target = torch.arange(len(ids), device=ids.device)
    return F.cross_entropy(logits.masked_fill(same, -torch.inf), target)

"""What a candidate makes of the events of a history, attending to those that are like it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.layers.mlp import MLP


def masked_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """`(…, L)` softmax over what `mask` lets through; all 0, and no NaN, where it lets nothing through."""
    # A finite number: a row of nothing but -inf is NaN, and so is its gradient.
    hidden = logits.masked_fill(~mask, torch.finfo(logits.dtype).min)
    return hidden.softmax(-1) * mask


class ActivationUnit(nn.Module):
    """A small MLP on `[q, k, q − k, q ∘ k]` that weighs every event for every candidate.

    "Deep Interest Network for Click-Through Rate Prediction" (Zhou et al., KDD 2018,
    https://doi.org/10.1145/3219819.3219823). The first layer is taken apart: what it does to `q − k` is the
    sum of what it does to `q` and to `k`, so nothing of width 4D is ever made for a pair, and `q − k` needs
    no weights of its own. Unlike in the paper, its units are ReLU and not Dice.

    Args:
        dim: D, of candidates and events.
        hidden: Widths of the MLP, at least one.
        softmax: Weights that sum to 1; the paper's do not, so that they keep how strong an interest is.
    """

    def __init__(self, dim: int, hidden: Sequence[int], softmax: bool = False) -> None:
        super().__init__()
        first, *others = hidden
        self.query, self.key = nn.Linear(dim, first), nn.Linear(dim, first, bias=False)
        self.product = nn.Parameter(torch.empty(dim, first))
        nn.init.uniform_(self.product, -(dim**-0.5), dim**-0.5)
        self.others = MLP(first, others)
        # To a softmax a bias that all events share is of no effect.
        self.out, self.softmax = nn.Linear(self.others.dim, 1, bias=not softmax), softmax

    def forward(self, query: Tensor, key: Tensor, mask: Tensor) -> Tensor:
        """`(B, K, D)` weighted sums of events; zero for an empty history.

        Args:
            query: `(B, K, D)` candidates.
            key: `(B, L, D)` events.
            mask: `(B, L)` where there is one.
        """
        # What the layer does to `k` and to `q ∘ k` is one product of each candidate with all events, added to
        # what it does to `q`; nothing of a pair's size is made twice.
        of_pair = (query[..., None] * self.product + self.key.weight.T).flatten(0, 1)
        keys = key[:, None].expand(-1, query.shape[1], -1, -1).flatten(0, 1)
        of_query = self.query(query).flatten(0, 1)[:, None]
        first = torch.baddbmm(of_query, keys, of_pair).relu_()
        weight = self.out(self.others(first)).view(*query.shape[:2], key.shape[1])
        seen = mask[:, None]
        weight = masked_softmax(weight, seen) if self.softmax else weight * seen
        return weight @ key


class DotAttention(nn.Module):
    """Softmax over `(W q)·k / √D`, for every candidate over events of its own.

    The exact search unit of SIM (Pi et al., CIKM 2020, https://doi.org/10.1145/3340531.3412744) with one
    head. `W` begins as the identity, so that attention begins where a search by inner product ends.

    Args:
        dim: D.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(dim))

    def forward(self, query: Tensor, key: Tensor, mask: Tensor, bias: Tensor | None = None) -> Tensor:
        """`(B, K, D)` weighted means of events; zero where there are none.

        Args:
            query: `(B, K, D)` candidates.
            key: `(B, K, k, D)` events of each, or `(B, 1, k, D)` where all have the same.
            mask: `(B, K, k)` or `(B, 1, k)`, where there is one.
            bias: Added to the logits, of the shape of `mask`.
        """
        asked = (query @ self.weight.T / query.shape[-1] ** 0.5)[..., None]
        logits = (key @ asked).squeeze(-1)
        weight = masked_softmax(logits if bias is None else logits + bias, mask)
        return (weight[:, :, None] @ key).squeeze(2)

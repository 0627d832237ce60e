"""Paths through layers of nodes: how likely each is for a user, and what is remembered of them by item.

A path is a code, its nodes as digits in base `width`, the first layer's first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.core.topk import stable_topk


class PathNetwork(nn.Module):
    """`p(path | x) = Π_d p(node_d | node_1 … node_(d-1), x)`, each factor an MLP with a softmax over nodes.

    Args:
        dim: Of the user vector x.
        width: Nodes per layer, K.
        depth: Layers, D.
        hidden: Width of each layer's hidden layer.
    """

    def __init__(self, dim: int, width: int, depth: int, hidden: int) -> None:
        super().__init__()
        self.width, self.depth = width, depth
        self.user = nn.ModuleList(nn.Linear(dim, hidden) for _ in range(depth))
        # An embedding of each earlier node and its part of the first linear layer, in one table.
        tables = [nn.Embedding(d * width, hidden) for d in range(1, depth)]
        for table in tables:
            nn.init.normal_(table.weight, std=0.1)
        self.nodes = nn.ModuleList(tables)
        self.out = nn.ModuleList(nn.Linear(hidden, width) for _ in range(depth))

    def log_probability(self, user: Tensor, codes: Tensor) -> Tensor:
        """`(B, J)` of paths `(B, J)`."""
        nodes, total = self.digits(codes), torch.zeros(codes.shape, device=user.device)
        for d in range(self.depth):
            total = total + self._step(d, user, nodes[..., :d]).gather(2, nodes[..., d : d + 1]).squeeze(2)
        return total

    def beam(self, user: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """The most likely paths `(B, S)` and their log probability, best first; exact if `size` is width^D.

        S is `size`, or all paths if there are fewer.
        """
        codes = torch.zeros(len(user), 1, dtype=torch.int64, device=user.device)
        total = torch.zeros(codes.shape, device=user.device)
        for d in range(self.depth):
            step = total[..., None] + self._step(d, user, self.digits(codes, d))
            total, place = stable_topk(step.flatten(1), size)
            codes = codes.gather(1, place // self.width) * self.width + place % self.width
        return codes, total

    def _step(self, d: int, user: Tensor, before: Tensor) -> Tensor:
        """`(B, S, K)` log probability of every node of layer `d` after `before` `(B, S, d)`."""
        hidden = self.user[d](user)[:, None].expand(-1, before.shape[1], -1)
        if d:
            offset = torch.arange(d, device=before.device) * self.width
            hidden = hidden + self.nodes[d - 1](before + offset).sum(-2)
        return self.out[d](hidden.relu()).log_softmax(-1)

    def digits(self, codes: Tensor, depth: int | None = None) -> Tensor:
        """`(…, D)` nodes of paths `(…)`, which may be the first `depth` nodes only."""
        depth = self.depth if depth is None else depth
        power = self.width ** torch.arange(depth - 1, -1, -1, device=codes.device)
        return codes[..., None] // power % self.width


class PathScores(nn.Module):
    """`score(item, path) = Σ p(path | x)` over the item's clicks, for the best paths of each item.

    Every click of an item multiplies its scores by `decay`, and a path that was not kept starts from the
    smallest score kept (0 while there is room), which it cannot have exceeded; so scores are upper bounds, as
    in the space-saving sketch (Metwally et al., ICDT 2005).

    Args:
        rows: Items, padding counted.
        size: Paths kept of each.
        decay: η.

    Attributes:
        codes: `(rows, size)` paths, -1 for none.
        values: `(rows, size)` scores.
        clicks: `(rows,)` clicks, which decay as the scores do.
    """

    codes: Tensor
    values: Tensor
    clicks: Tensor

    def __init__(self, rows: int, size: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("codes", torch.full((rows, size), -1))
        self.register_buffer("values", torch.zeros(rows, size))
        self.register_buffer("clicks", torch.zeros(rows))

    @torch.no_grad()
    def update(self, items: Tensor, codes: Tensor, probability: Tensor) -> None:
        """Counts clicks.

        Args:
            items: `(B,)`.
            codes: `(B, S)` different paths of each click, -1 for none.
            probability: `(B, S)` of these.
        """
        touched, row, clicks = items.unique(return_inverse=True, return_counts=True)
        kept = self.values[touched] * (self.decay**clicks)[:, None]
        self.clicks[touched] = self.clicks[touched] * self.decay**clicks + clicks
        # A list that has room ends in a zero, so its smallest score is that of a path never seen.
        smallest = kept.min(1).values
        own = torch.arange(len(touched), device=row.device)
        rows = torch.cat([own.repeat_interleave(kept.shape[1]), row.repeat_interleave(codes.shape[1])])
        paths = torch.cat([self.codes[touched].flatten(), codes.flatten()])
        values = torch.cat([kept.flatten(), probability.flatten()])
        real = paths >= 0
        span = int(paths.max()) + 1
        cells, place = (rows * span + paths)[real].unique(return_inverse=True)
        old = torch.zeros(len(cells), dtype=torch.bool, device=row.device)
        old[place[: int(real[: kept.numel()].sum())]] = True
        total = torch.zeros(len(cells), device=row.device).index_add_(0, place, values[real])
        rows = cells // span
        self._keep(touched, rows, cells % span, total + smallest[rows].masked_fill(old, 0))

    def _keep(self, touched: Tensor, rows: Tensor, codes: Tensor, values: Tensor) -> None:
        """Writes the best of each row, given cells sorted by row."""
        order = values.argsort(descending=True, stable=True)
        order = order[rows[order].argsort(stable=True)]
        rank = torch.arange(len(rows), device=rows.device) - torch.searchsorted(rows, rows)
        fits = rank < self.codes.shape[1]
        order, row, rank = order[fits], rows[fits], rank[fits]
        self.codes[touched], self.values[touched] = -1, 0.0
        self.codes[touched[row], rank], self.values[touched[row], rank] = codes[order], values[order]


def paths_of_vectors(vectors: Tensor, width: int, depth: int, count: int, steps: int = 10) -> Tensor:
    """`(N, count)` different paths by residual quantisation: near vectors get paths that begin alike.

    Each layer is a k-means of what the layers before left over; the first nodes of an item's paths are those
    of the `count` nearest centres.

    Args:
        vectors: `(N, dim)`.
        width: Nodes per layer, at least `count`.
        depth: Layers.
        count: Paths of each item.
        steps: Of every k-means.
    """
    rest, codes = vectors[:, None], torch.zeros(len(vectors), 1, dtype=torch.int64, device=vectors.device)
    for d in range(depth):
        centres = _centres(rest.flatten(0, 1), width, steps)
        nearest = torch.cdist(rest, centres[None]).topk(count if d == 0 else 1, largest=False).indices
        if d == 0:
            nearest = nearest.transpose(1, 2)
        codes = codes * width + nearest.squeeze(2)
        rest = rest - centres[nearest.squeeze(2)]
    return codes


def _centres(points: Tensor, count: int, steps: int) -> Tensor:
    """`(count, dim)` of k-means, started as k-means++ (Arthur and Vassilvitskii, SODA 2007) does."""
    centres = points[torch.randint(len(points), (1,), device=points.device)]
    nearest = torch.full((len(points),), torch.inf, device=points.device)
    while len(centres) < count:
        nearest = nearest.minimum((points - centres[-1]).square().sum(1))
        # Where all points are centres already, any of them will do.
        drawn = (nearest + 1e-12).multinomial(1)
        centres = torch.cat([centres, points[drawn]])
    for _ in range(steps):
        own = torch.cdist(points, centres).argmin(1)
        size = own.bincount(minlength=count)[:, None]
        sums = torch.zeros_like(centres).index_add_(0, own, points)
        centres = torch.where(size > 0, sums / size.clamp(min=1), centres)
    return centres

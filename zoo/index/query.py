"""`Query`: what one search asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

Metric = Literal["inner_product", "cosine", "l2"]

_CHUNK = 1 << 24
"""Most floats worked on for one part of the rows, 64 MiB of them."""


@dataclass(frozen=True, eq=False)
class Query:
    """B searches over one table.

    Attributes:
        vectors: `(B, D)`.
        k: Wanted by each, at most N.
        exclude: `(B, S)` int64 ids that each must not find, 0 is padding; None for none.
        places: `(P,)` int64 ascending positions of the only vectors that any may find; None for all.
    """

    vectors: Tensor
    k: int
    exclude: Tensor | None = None
    places: Tensor | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    def rows(self, index: Tensor | slice) -> Query:
        """Some of the searches."""
        out = None if self.exclude is None else self.exclude[index]
        return replace(self, vectors=self.vectors[index], exclude=out)

    def parts(self, size: int) -> Iterator[Query]:
        """Parts of as many rows as memory is meant for, at least one, where the table has `size` vectors."""
        width = self.k + (0 if self.exclude is None else self.exclude.shape[1])
        step = max(1, _CHUNK // (size + width * self.vectors.shape[1]))
        for start in range(0, max(1, len(self)), step):
            yield self.rows(slice(start, start + step))


def by_score(query: Query, vectors: Tensor, metric: Metric, positions: Tensor) -> tuple[Tensor, Tensor]:
    """The best `k` of `positions` `(B, W)`, best first, equal scores by lower position.

    Scores are computed from the `vectors` `(N, D)` themselves, however they were found.

    Returns:
        Positions and scores `(B, k)`, -1 and -inf beyond the last.
    """
    positions = positions.sort(dim=1).values
    rows = vectors[positions.clamp(min=0)]
    if metric == "l2":
        scores = -(rows - query.vectors[:, None]).square().sum(dim=2)
    else:
        scores = (rows @ query.vectors[:, :, None])[:, :, 0]
    scores = scores.masked_fill(positions < 0, -torch.inf)
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    return widened(positions.gather(1, order[:, : query.k]), scores[:, : query.k], query.k, empty=-1)


def widened(places: Tensor, scores: Tensor, k: int, empty: int) -> tuple[Tensor, Tensor]:
    """Both `(B, W)` as `(B, k)`, with `empty` and -inf beyond what there is."""
    room = (0, k - places.shape[1])
    if not room[1]:
        return places, scores
    pad = torch.nn.functional.pad
    return pad(places, room, value=empty), pad(scores, room, value=-torch.inf)

"""Items that a user has already seen are not shown again."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.core.topk import is_member
from zoo.core.types import Candidates, Request


@dataclass(frozen=True)
class SeenFilter:
    """Drops every item in the request's `seen` `(B, S)`, exactly.

    Attributes:
        keep: Most candidates to keep of what is left, None for all.
    """

    keep: int | None = None

    def __call__(self, request: Request, candidates: Candidates) -> Candidates:
        """The unseen candidates in their order."""
        seen = is_member(candidates.ids, request.features["seen"])
        ids = candidates.ids.masked_fill(seen, 0)
        unseen = Candidates(ids, candidates.scores, candidates.source, candidates.columns)
        width = int(unseen.mask.sum(1).max()) if len(request) else 0
        return unseen.compact(width if self.keep is None else min(self.keep, width))

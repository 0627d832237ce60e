"""Who likes what, gathered from batches of histories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.core.types import Batch


@dataclass(frozen=True)
class Likes:
    """The histories of all users in the order of their keys, as compressed rows.

    Attributes:
        users: `(U,)` int64 keys.
        offsets: `(U + 1,)` int64; user u has the items `offsets[u]:offsets[u + 1]`.
        items: `(E,)` uint32 item ids, newest first; an item chosen again is there again.
    """

    users: Any
    offsets: Any
    items: Any

    def by_item(self, count: int) -> tuple[Any, Any]:
        """The same the other way round, each pair once.

        Args:
            count: Item ids are below it.

        Returns:
            `(count + 1,)` int64 offsets and `(E',)` uint32 numbers of users, in the order of their keys.
        """
        from zoo.kernels.likes import transposed

        return transposed(self.offsets, self.items, count, np.arange(len(self.users)))

    def both_ways(self, count: int) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """Each pair once, by item as `by_item`, and by user: `(U + 1,)` offsets, `(E',)` ascending items."""
        from zoo.kernels.likes import transposed

        offsets, users = self.by_item(count)
        return (offsets, users), transposed(offsets, users, len(self.users), np.arange(count))

    def padded(self, first: int, last: int) -> Tensor:
        """`(last - first, L)` int64 histories of some users, padded with 0 behind."""
        sizes = np.diff(self.offsets[first : last + 1])
        out = np.zeros((last - first, max(1, sizes.max(initial=0))), np.int64)
        within = np.arange(out.shape[1]) < sizes[:, None]
        out[within] = self.items[self.offsets[first] : self.offsets[last]]
        return torch.from_numpy(out)


def power(count: Any, exponent: float) -> Any:
    """`count^-exponent` as float32, of numbers from 1 on."""
    return np.maximum(count, 1).astype(np.float32) ** np.float32(-exponent)


@dataclass
class LikesGathered:
    """Adds up batches; what comes out does not depend on their order or size.

    Attributes:
        sequence: Name of the history that counts.
    """

    sequence: str
    _users: list[Tensor] = field(default_factory=list)
    _sizes: list[Tensor] = field(default_factory=list)
    _items: list[Tensor] = field(default_factory=list)

    def add(self, batch: Batch) -> None:
        """Adds the users of a batch, known by `user_id` `(B,)` where there is one, else by their order."""
        history = batch[self.sequence]
        seen = sum(map(len, self._users))
        self._users.append(batch.get("user_id", torch.arange(seen, seen + len(history))))
        mask = history > 0
        self._sizes.append(mask.sum(1))
        self._items.append(history[mask].int())

    def all(self) -> Likes:
        """All of them."""
        none = [torch.zeros(0, dtype=torch.int64)]
        users, sizes = (torch.cat(parts or none).cpu() for parts in (self._users, self._sizes))
        items = torch.cat(self._items or none).int().cpu()
        order = users.argsort(stable=True)
        if not order.equal(torch.arange(len(order))):
            start = sizes.cumsum(0) - sizes
            users, sizes, start = users[order], sizes[order], start[order]
            within = torch.arange(len(items)) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
            items = items[start.repeat_interleave(sizes) + within]
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
        return Likes(users.numpy(), offsets.numpy(), items.numpy().view(np.uint32))

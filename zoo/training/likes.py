"""Who likes what, gathered from batches of histories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.core.types import Batch

PIECE = 1 << 20
"""Likes counted at once: numpy takes a copy of eight bytes each."""

ROWS = 1 << 10
"""Rows moved at once, likewise."""


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

    def by_item(self, size: int) -> Likers:
        """The same by item, ids below `size`, and each pair once."""
        from zoo.kernels.likes import transposed

        offsets, likers = transposed(self.offsets, self.items, size, np.arange(len(self.users)))
        return Likers(self.users, offsets, likers)

    def padded(self, first: int, last: int) -> Tensor:
        """`(last - first, L)` int64 histories of some users, padded with 0 behind."""
        sizes = np.diff(self.offsets[first : last + 1])
        out = np.zeros((last - first, max(1, sizes.max(initial=0))), np.int64)
        within = np.arange(out.shape[1]) < sizes[:, None]
        out[within] = self.items[self.offsets[first] : self.offsets[last]]
        return torch.from_numpy(out)


@dataclass(frozen=True)
class Likers:
    """The users that like an item, of all items, as compressed rows.

    Attributes:
        users: `(U,)` int64 keys, ascending.
        offsets: `(I + 1,)` int64; item i is liked by `likers[offsets[i]:offsets[i + 1]]`.
        likers: `(E,)` uint32 places in `users`, ascending for every item.
    """

    users: Any
    offsets: Any
    likers: Any

    @property
    def popularity(self) -> Any:
        """`(I,)` users that like an item."""
        return np.diff(self.offsets)

    @property
    def activity(self) -> Any:
        """`(U,)` items that a user likes."""
        total = np.zeros(len(self.users), np.int64)
        for first in range(0, len(self.likers), PIECE):
            total += np.bincount(self.likers[first : first + PIECE], minlength=len(total))
        return total

    def by_user(self) -> tuple[Any, Any]:
        """`(U + 1,)` offsets and `(E,)` items, ascending for every user."""
        from zoo.kernels.likes import transposed

        return transposed(self.offsets, self.likers, len(self.users), np.arange(len(self.offsets) - 1))


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
    _users: list[Any] = field(default_factory=list)
    _sizes: list[Any] = field(default_factory=list)
    _items: Any = field(default_factory=lambda: np.empty(1024, np.uint32))
    _end: int = 0

    def add(self, batch: Batch) -> None:
        """Adds the users of a batch, known by `user_id` `(B,)` where there is one, else by their order."""
        history = batch[self.sequence].cpu()
        seen = sum(map(len, self._users))
        keys = batch.get("user_id", torch.arange(seen, seen + len(history)))
        mask = history > 0
        self._users.append(keys.cpu().numpy().astype(np.int64))
        self._sizes.append(mask.sum(1).numpy())
        first, self._end = self._end, self._end + int(self._sizes[-1].sum())
        if self._end > len(self._items):
            # In one piece, which the system takes back; pages not written to cost nothing.
            self._items.resize(2 * self._end, refcheck=False)
        self._items[first : self._end] = history[mask].numpy()

    def all(self) -> Likes:
        """All of them, which are handed over."""
        none = np.zeros(0, np.int64)
        users, sizes = (np.concatenate([none, *parts]) for parts in (self._users, self._sizes))
        given, order = self._items[: self._end], np.argsort(users, kind="stable")
        self._users, self._sizes, self._items, self._end = [], [], np.empty(0, np.uint32), 0
        return Likes(users[order], *ordered(sizes, given, order))


def ordered(sizes: Any, values: Any, order: Any) -> tuple[Any, Any]:
    """Rows of `sizes` `(R,)` with `values` `(E,)` in another order `(R,)`: `(R + 1,)` offsets and `(E,)`."""
    starts = np.cumsum(sizes) - sizes
    offsets, moved = np.concatenate([[0], np.cumsum(sizes[order])]), np.empty_like(values)
    for first in range(0, len(order), ROWS):
        rows = order[first : first + ROWS]
        low, high = offsets[first], offsets[min(first + ROWS, len(order))]
        shift = starts[rows] - offsets[first : first + len(rows)]
        moved[low:high] = values[np.arange(low, high) + np.repeat(shift, sizes[rows])]
    return offsets, moved

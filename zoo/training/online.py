"""The base of models whose table of neighbours is kept up to date like by like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.schema import Schema
from zoo.training.likes import Likers, Likes
from zoo.training.neighbours import NeighbourConfig, NeighbourModel


class OnlineModel(NeighbourModel):
    """A table of neighbours that `update` keeps as if it were fitted again after every event.

    An update notes what the event changes and which rows of the table that makes stale; a stale row is made
    anew when it is next asked for, or saved. So an event costs little however many rows it touches, and what
    is served is never old. Fitting is the same as updating with all events, in any order.

    Attributes:
        like_users: `(U,)` int64 keys of users, ascending.
        like_offsets: `(U + 1,)` by user, of `like_items`.
        like_items: `(E,)` int32 item ids, ascending for each user.
    """

    like_users: Tensor
    like_offsets: Tensor
    like_items: Tensor

    def __init__(self, schema: Schema, config: NeighbourConfig) -> None:
        super().__init__(schema, config)
        if config.keep != "seed":
            # Whether a history item is among a target's nearest hangs on all rows, of which any may be stale.
            raise UserError(f"{self.registry_name}: keep must be seed, found {config.keep}")
        self.register_buffer("like_users", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("like_offsets", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("like_items", torch.zeros(0, dtype=torch.int32))
        self._live: Live | None = None
        self.register_state_dict_pre_hook(_settle)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]

    @abstractmethod
    def open(self, likes: Likers) -> Live:
        """What events are added to from now on."""

    def finish(self) -> None:
        """Builds the table, and keeps the likes for updates."""
        likes = self._gathered.all().by_item(self.schema.n_items + 1)
        self._live = None
        self._keep_likes(likes)
        self._store(*self.similar(likes))
        self.start()

    def update(self, user: int, item: int) -> None:
        """Adds one event of the behaviour that counts; an item that the user likes already changes nothing.

        Updates and recalls must come one after another, not from several threads at once.

        Args:
            user: Any number that is the user's own: `user_id` as the encoder gives it, or for a user that the
                encoder does not know one that it does not use, from 0 on and below 2^32.
            item: Dense item id, 1 to n_items. When it happened does not matter to similarities.

        Raises:
            UserError: There is no such item or user key.
        """
        if not 1 <= item <= self.schema.n_items:
            raise UserError(f"update: expected an item id from 1 to {self.schema.n_items}, found {item}")
        if not 0 <= user < 2**32:
            raise UserError(f"update: expected a user key from 0 to 2^32 - 1, found {user}")
        self._opened().update(user, item)

    def _opened(self) -> Live:
        if self._live is None:
            offsets = self.like_offsets.numpy() if len(self.like_offsets) else np.zeros(1, np.int64)
            items = self.like_items.numpy().view(np.uint32)
            known = Likes(self.like_users.numpy(), offsets, items)
            self._live = self.open(known.by_item(self.schema.n_items + 1))
        return self._live

    def _keep_likes(self, likes: Likers) -> None:
        offsets, items = likes.by_user()
        self.like_users, self.like_offsets = torch.from_numpy(likes.users), torch.from_numpy(offsets)
        self.like_items = torch.from_numpy(items.view(np.int32))

    def _table(self, history: Any) -> tuple[Any, Any, Any, Any]:
        return super()._table(history) if self._live is None else self._live.table(history)

    def _settled(self) -> None:
        """Brings the buffers up to date."""
        if self._live is not None:
            self._keep_likes(self._live.likes())
            self._store(*self._live.everything())


class Live(ABC):
    """Likes and neighbours while events come in.

    Args:
        likes: Those there are.
        k: Neighbours kept.
    """

    def __init__(self, likes: Likers, k: int) -> None:
        from zoo.kernels.rows import Rows

        self.by_item, self.by_user = (likes.offsets, likes.likers), likes.by_user()
        size = len(likes.popularity)
        self.numbers = dict(zip(likes.users.tolist(), range(len(likes.users)), strict=True))
        self.liked = Rows(*self.by_user)
        self.stale = np.ones(size, bool)
        self.kept, self.sizes = np.zeros((size, k), np.uint64), np.zeros(size, np.int64)
        self.targets, self.similarities = np.zeros((size, k), np.uint32), np.zeros((size, k), np.float32)

    def new_user(self, key: int) -> None:  # noqa: B027
        """Makes room for a user, where more is kept of one than likes."""

    @abstractmethod
    def like(self, user: int, item: int, others: Any) -> None:
        """Notes a new like, and marks rows that it makes stale.

        Args:
            user: Number of the user.
            item: The item.
            others: `(N,)` what else the user likes.
        """

    @abstractmethod
    def refresh(self, rows: Any) -> None:
        """Makes rows `(N,)` of `kept` anew."""

    def update(self, key: int, item: int) -> None:
        """Adds an event."""
        if key not in self.numbers:
            self.numbers[key] = self.liked.new_row()
            self.new_user(key)
        user = self.numbers[key]
        others = self.liked[user]
        if not (others == item).any():
            self.like(user, item, others)
            self.liked.append(user, item)

    def table(self, history: Any) -> tuple[Any, Any, Any, Any]:
        """The table, with the rows of the items in histories up to date."""
        self._freshen(np.unique(history))
        starts = np.arange(len(self.sizes)) * self.kept.shape[1]
        return starts, starts + self.sizes, self.targets.ravel(), self.similarities.ravel()

    def everything(self) -> tuple[Any, Any, Any]:
        """Item, neighbour and similarity of all rows, up to date."""
        self._freshen(np.arange(len(self.sizes)))
        row, place = self.kept.nonzero()
        return row, self.targets[row, place], self.similarities[row, place]

    def likes(self) -> Likers:
        """All likes, by key."""
        keys = np.fromiter(self.numbers, np.int64, len(self.numbers))
        order = np.argsort(keys)
        rows = [self.liked[user] for user in order]
        offsets = np.concatenate([[0], np.cumsum(self.liked.sizes[: len(order)][order])])
        items = np.concatenate(rows) if rows else self.liked.pool[:0]
        return Likes(keys[order], offsets, items).by_item(len(self.sizes))

    def _freshen(self, rows: Any) -> None:
        from zoo.kernels.best import unpacked

        rows = rows[self.stale[rows]]
        if not len(rows):
            return
        self.refresh(rows)
        row, ids, values = unpacked(self.kept[rows])
        self.sizes[rows] = np.bincount(row, minlength=len(rows))
        within = np.arange(len(row)) - np.searchsorted(row, row)
        self.targets[rows[row], within], self.similarities[rows[row], within] = ids, values
        self.stale[rows] = False


def _settle(model: OnlineModel, prefix: str, keep_vars: bool) -> None:
    model._settled()


def _forget(model: OnlineModel, keys: object) -> None:
    model._live = None

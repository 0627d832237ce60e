"""`VectorTable`: vectors by id, some of which may have been deleted."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor


def positions_in(ascending: Tensor, values: Tensor) -> Tensor:
    """Where each of `values` stands among `ascending` ones, -1 if it does not."""
    if not len(ascending):
        return torch.full_like(values, -1)
    if (first := _origin(ascending)) is not None:
        place = values - first
        return place.masked_fill_((place < 0) | (place >= len(ascending)), -1)
    place = torch.searchsorted(ascending, values).clamp_(max=len(ascending) - 1)
    return place.masked_fill_(ascending[place] != values, -1)


class VectorTable:
    """Rows of vectors in order of id, so that a tie by position is a tie by id.

    Deleted rows stay in place until half of all are; then the others close ranks.

    Args:
        vectors: `(N, D)`, copied.
        ids: `(N,)` int64, distinct.

    Attributes:
        vectors: `(N, D)` in order of id, deleted rows included.
        ids: `(N,)` ascending, likewise.
        alive: `(N,)` bool, False where a row was deleted.
    """

    def __init__(self, vectors: Tensor, ids: Tensor) -> None:
        ids, order = ids.sort()
        self.vectors, self.ids, self.alive = vectors[order], ids, torch.ones_like(ids, dtype=torch.bool)
        self._room = [self.vectors, self.ids, self.alive]

    def __len__(self) -> int:
        return len(self.ids) if self.places is None else len(self.places)

    @cached_property
    def places(self) -> Tensor | None:
        """`(len,)` ascending positions of the rows that are not deleted; None for all."""
        return None if bool(self.alive.all()) else self.alive.nonzero()[:, 0]

    @property
    def origin(self) -> int | None:
        """The first id where ids follow one another without a gap, so that a position is an id less it."""
        return _origin(self.ids)

    def positions(self, ids: Tensor) -> Tensor:
        """Where `ids` `(…)` are, -1 for deleted and unknown ones."""
        found = positions_in(self.ids, ids)
        return found if self.places is None else found.masked_fill(~self.alive[found], -1)

    def put(self, vectors: Tensor, ids: Tensor) -> None:
        """Adds vectors `(M, D)` under `ids` `(M,)`, distinct, in place of those that are there."""
        place = positions_in(self.ids, ids)
        old, new = place >= 0, place < 0
        self.vectors[place[old]], self.alive[place[old]] = vectors[old], True
        if new.any():
            self._append(vectors[new], ids[new])
        self.__dict__.pop("places", None)

    def drop(self, ids: Tensor) -> None:
        """Deletes `ids` `(M,)`, all of which must be there."""
        self.alive[self.positions(ids)] = False
        self.__dict__.pop("places", None)
        if 2 * len(self) <= len(self.ids):
            self.compact()

    def compact(self) -> None:
        """Gives up the room of deleted rows."""
        if self.places is not None:
            self._set(self.vectors[self.places], self.ids[self.places], self.alive[self.places])

    def _append(self, vectors: Tensor, ids: Tensor) -> None:
        ids, order = ids.sort()
        size, last = len(self.ids), self.ids[-1:]
        parts = (vectors[order], ids, torch.ones_like(ids, dtype=torch.bool))
        room = [_grown(whole, size + len(ids)) for whole in self._room]
        for whole, part in zip(room, parts, strict=True):
            whole[size : size + len(ids)] = part
        self._room = room
        self.vectors, self.ids, self.alive = (whole[: size + len(ids)] for whole in room)
        if (ids[0] < last).any():
            order = self.ids.argsort()
            self._set(self.vectors[order], self.ids[order], self.alive[order])

    def _set(self, vectors: Tensor, ids: Tensor, alive: Tensor) -> None:
        self.vectors, self.ids, self.alive = vectors, ids, alive
        self._room = [vectors, ids, alive]
        self.__dict__.pop("places", None)


def _grown(whole: Tensor, rows: int) -> Tensor:
    """A tensor with room for `rows`, doubled where it grows, so that adding one by one stays cheap."""
    if rows <= len(whole):
        return whole
    larger = whole.new_empty(max(rows, 2 * len(whole)), *whole.shape[1:])
    larger[: len(whole)] = whole
    return larger


def _origin(ascending: Tensor) -> int | None:
    first, last = ascending[[0, -1]].tolist() if len(ascending) else (0, 0)
    return first if last - first + 1 == len(ascending) else None

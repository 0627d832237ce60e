"""How often each key had an event of each behaviour before a moment: sorted codes, found by bisection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.core.errors import UserError


@dataclass(frozen=True)
class Counter:
    """How often each key had an event of each behaviour in a window before a moment.

    Attributes:
        codes: `(E,)` sorted: an event's key, its time and its flags as bits, in one number. So the sort moves
            nothing else, and one search finds a moment of a key.
        before: `(E + 1,)` by behaviour: how many of the codes before each index have its flag.
        n_keys: All keys in the codes are below it.
        ranks: `(n_keys,)` what the keys in the codes stand for, None where for themselves.
        start: The first time; `stop` is behind the last.
    """

    codes: Tensor
    before: Mapping[str, Tensor]
    n_keys: int
    ranks: Tensor | None
    start: int
    stop: int

    @classmethod
    def of(cls, key: Tensor, time: Tensor, flags: Mapping[str, Tensor]) -> Counter:
        """Counts events, in any order.

        Args:
            key: `(E,)` int64; events with a negative key are left out.
            time: `(E,)` int64 seconds.
            flags: `(E,)` bool by behaviour.

        Raises:
            UserError: Keys, times and behaviours are more than 64 bits can tell apart.
        """
        known = key >= 0
        if not known.all():
            key, time, flags = key[known], time[known], {name: flag[known] for name, flag in flags.items()}
        start, stop = (int(time.min()), int(time.max()) + 1) if len(time) else (0, 0)
        n_keys, ranks = int(key.max()) + 1 if len(key) else 0, None
        room = 2**63 // (stop - start + 1) >> len(flags)
        if n_keys >= room:
            ranks, key = key.unique(return_inverse=True)
            n_keys = len(ranks)
        if n_keys >= room:
            what = f"{n_keys} keys over {stop - start} seconds with {len(flags)} behaviours"
            raise UserError(f"statistics: {what} are too many to count; leave out a cross or a behaviour")
        codes = (key * (stop - start + 1)).add_(time).sub_(start)
        for flag in flags.values():
            codes.bitwise_left_shift_(1).bitwise_or_(flag)
        # NumPy's sort is several times faster than torch's.
        codes.numpy().sort()
        return cls.sorted(codes, list(flags), n_keys, ranks, start, stop)

    @classmethod
    def sorted(
        cls, codes: Tensor, names: Sequence[str], n_keys: int, ranks: Tensor | None, start: int, stop: int
    ) -> Counter:
        """A counter from its sorted codes, which hold all that is counted; `names` are those of the flags."""
        before = {name: _running(codes, bit) for bit, name in enumerate(reversed(names))}
        return cls(codes, before, n_keys, ranks, start, stop)

    def count(self, key: Tensor, time: Tensor, windows: Iterable[int | None]) -> dict[str, Tensor]:
        """Counts a key's events strictly before `time` and at or after `time - window`, None for all before.

        Both are `(…)` int64 and broadcast; a key without events, such as -1, counts 0. What returns is
        `(windows, …)` int32 by behaviour, and of all events under the name "".
        """
        edges = [torch.full_like(time, self.start) if window is None else time - window for window in windows]
        # The moments of one key stand side by side, so that a search finds what it needs still in the cache.
        moment = torch.stack([time, *edges], dim=-1).clamp_(self.start, self.stop)
        code = self._place(key)[..., None] * (self.stop - self.start + 1) + moment - self.start
        found = torch.searchsorted(self.codes, code << len(self.before))
        running = {"": found.int(), **{name: before.take(found) for name, before in self.before.items()}}
        return {name: (x[..., :1] - x[..., 1:]).movedim(-1, 0) for name, x in running.items()}

    def _place(self, key: Tensor) -> Tensor:
        """The key in the codes, `n_keys` for one that has no events."""
        if self.ranks is None:
            return key.where((key >= 0) & (key < self.n_keys), self.n_keys)
        place = torch.searchsorted(self.ranks, key)
        return place.where(self.ranks[place.clamp(max=self.n_keys - 1)] == key, self.n_keys)


def _running(codes: Tensor, bit: int) -> Tensor:
    before = torch.zeros(len(codes) + 1, dtype=torch.int32)
    torch.cumsum(codes & (1 << bit) != 0, 0, dtype=torch.int32, out=before[1:])
    return before

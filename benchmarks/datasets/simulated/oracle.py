"""The truth of any pair of user and item at any time, for regret; kept apart from all that a model reads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from benchmarks.datasets.simulated.follows import Follows
from benchmarks.datasets.simulated.items import Items
from benchmarks.datasets.simulated.topics import HOUR, START, Array, Topics
from benchmarks.datasets.simulated.truth import WEIGHTS, Facts, Moments, Truth, same_above
from benchmarks.datasets.simulated.users import Users
from zoo.core.errors import UserError

MARK = "oracle: the truth of a simulated world, never to be read by a model"
OPEN = HOUR // 2
"""Seconds for which a request's mood is taken to last."""
_PAIRS = 2**18
"""Pairs judged at a time, so that memory does not grow with the question."""


@dataclass(frozen=True)
class Oracle:
    """Probabilities of a world that has ended; users and items are rows of its tables.

    Attributes:
        truth: The laws, with all that is latent.
        moments: All requests by user and time, for the mood in which a user was.
    """

    truth: Truth
    moments: Moments

    def click(self, users: Array, items: Array, times: Array) -> Array:
        """Probability of a click on each item were it looked at, with none like it above, `(B, K)`.

        The mood, device and network are those of the user's last request, where it was at most half an hour
        ago; else no mood, a phone and wifi.

        Args:
            users: Rows of users, `(B,)`.
            items: Rows of items, `(B, K)`, or `(K,)` for the same ones for all.
            times: Seconds, `(B,)`.
        """
        return np.concatenate([self.truth.click(facts) for facts, _ in self._facts(users, items, times)])

    def pages(self, users: Array, items: Array, times: Array) -> Array:
        """Expected clicks of whole pages in the order given, `(B,)`: position and satiation count.

        Args:
            users: Rows of users, `(B,)`.
            items: Rows of items, from the top of each page down, `(B, K)`.
            times: Seconds, `(B,)`.
        """
        seen = self.truth.seen(np.arange(1, items.shape[-1] + 1))
        category = self.truth.items.category
        return np.concatenate(
            [
                (self.truth.click(facts, same_above(category[part])) * seen).sum(axis=1)
                for facts, part in self._facts(users, items, times)
            ]
        )

    def after_click(self, users: Array, items: Array, times: Array) -> dict[str, Array]:
        """What to expect given a click, by name, `(B, K)` each: probabilities, and `play_seconds`."""
        parts = [self._after(facts) for facts, _ in self._facts(users, items, times)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _after(self, facts: Facts) -> dict[str, Array]:
        truth = self.truth
        tasks = {task: truth.task(task, facts) for task in WEIGHTS}
        return {"finish": truth.finish(facts), **tasks, "play_seconds": truth.play_seconds(facts)}

    def _facts(self, users: Array, items: Array, times: Array) -> Iterator[tuple[Facts, Array]]:
        """The facts of some requests at a time, and the items these are about."""
        items = np.broadcast_to(items, (len(users), items.shape[-1]))
        size = max(_PAIRS // items.shape[1], 1)
        for first in range(0, max(len(users), 1), size):
            part = slice(first, first + size)
            yield self.truth.facts(self.at(users[part], times[part]), items[part]), items[part]

    def at(self, users: Array, times: Array) -> Moments:
        """In which mood, and on what, users are at some times."""
        last = np.searchsorted(self._keys, _key(users, times), side="right") - 1
        there = (last >= 0) & (self.moments.user[last] == users) & (times - self.moments.time[last] <= OPEN)
        return Moments(
            user=users,
            time=times,
            mood=np.where(there[:, None], self.moments.mood[last], 0.0),
            device=np.where(there, self.moments.device[last], 0),
            network=np.where(there, self.moments.network[last], 0),
        )

    @cached_property
    def _keys(self) -> Array:
        return _key(self.moments.user, self.moments.time)

    def save(self, path: Path) -> None:
        """Writes one safetensors file, whole or not at all."""
        tensors = {
            f"{name}.{column.name}": np.ascontiguousarray(getattr(part, column.name))
            for name, part in self._parts().items()
            for column in fields(part)
            if column.name != "authors"
        }
        truth = self.truth
        numbers = {
            "authors": truth.follows.authors,
            "intercepts": truth.intercepts,
            "position_bias": truth.position_bias,
            "satiation": truth.satiation,
        }
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            save_file(tensors, beside, metadata={"about": MARK, "numbers": json.dumps(numbers)})
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)

    def _parts(self) -> dict[str, Topics | Items | Users | Follows | Moments]:
        truth = self.truth
        return {
            "topics": truth.topics,
            "items": truth.items,
            "users": truth.users,
            "follows": truth.follows,
            "moments": self.moments,
        }


def load_oracle(path: Path) -> Oracle:
    """What `Oracle.save` wrote.

    Raises:
        UserError: The file is absent or none of that kind.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot read an oracle from it ({error})") from None
    if about.get("about") != MARK:
        raise UserError(f"{path}: expected an oracle of a simulated world, found other tensors")
    numbers = json.loads(about["numbers"])
    parts: dict[str, dict[str, Array]] = {}
    for name, values in tensors.items():
        part, _, column = name.partition(".")
        parts.setdefault(part, {})[column] = values
    follows = Follows(numbers.pop("authors"), **parts["follows"])
    world = Topics(**parts["topics"]), Items(**parts["items"]), Users(**parts["users"])
    return Oracle(Truth(*world, follows, **numbers), Moments(**parts["moments"]))


def oracle_of(truth: Truth, moments: Moments) -> Oracle:
    """The oracle of a world that has ended, with its requests in any order."""
    order = np.argsort(_key(moments.user, moments.time), kind="stable")
    columns = {column.name: getattr(moments, column.name)[order] for column in fields(moments)}
    return Oracle(truth, Moments(**columns))


def _key(users: Array, times: Array) -> Array:
    """In the order of users, then times."""
    return np.asarray(users.astype(np.int64) * 2**32 + np.clip(times - START, 0, 2**32 - 1))

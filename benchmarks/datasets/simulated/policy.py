"""The logging policy: a small funnel that knows only what a platform could know, and learns from clicks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from benchmarks.datasets.simulated.channels import NONE, Newest, Ranked, Shown, drawn_rows, first_of_each
from benchmarks.datasets.simulated.config import SimulationConfig
from benchmarks.datasets.simulated.follows import Follows
from benchmarks.datasets.simulated.items import Items
from benchmarks.datasets.simulated.places import nearness
from benchmarks.datasets.simulated.slate import Slate, draw_slate
from benchmarks.datasets.simulated.topics import CATEGORIES, DAY, HOUR, START, Array, Random, Topics, unit
from benchmarks.datasets.simulated.users import Users

CHANNELS = {
    "followed": 8,
    "local": 8,
    "session": 10,
    "interest": 30,
    "popular": 14,
    "fresh": 10,
    "explore": 8,
}
"""Candidates of each channel; the first to find an item is the one that is logged."""
KNOWN = 6.0
"""Clicks after which a profile owes as much to them as to what was known of the user before."""
REFRESH = 6
"""Hours from one making of the ranked lists to the next."""
LAG = 3
"""Hours until an event is in the counts, longer than any session lasts."""
TOP = 200
FORGET = 0.5 ** (1 / 72)
"""What is left of a click's weight for popularity after an hour: half after three days."""


@dataclass(frozen=True)
class Asked:
    """Requests as the policy sees them.

    Attributes:
        user: Row of the user, `(B,)`.
        time: Seconds, `(B,)`.
        recent: Sum of the contents clicked in this session, `(B, D)`.
        category: Of the last click of this session, -1 before the first, `(B,)`.
    """

    user: Array
    time: Array
    recent: Array
    category: Array


class Policy:
    """Finds candidates, scores them, shows a page, learns.

    Args:
        config: Of the world.
        items: Of which it reads what is published of them, not topic or quality.
        users: Of which it reads the profiles.
        follows: Whom they follow.
        profile: What it believes of the users' interests at the start, in the space of contents, `(U, D)`.
        rng: Of its draws.
    """

    def __init__(
        self,
        config: SimulationConfig,
        items: Items,
        users: Users,
        follows: Follows,
        profile: Array,
        rng: Random,
    ) -> None:
        self.config, self.items, self.users, self.follows, self.rng = config, items, users, follows, rng
        self.centre = _centres(items)
        self.profile, self.heard = profile, np.zeros(len(profile), dtype=np.float32)
        self.by_author, self.by_cell = Newest(items.author), Newest(items.cell)
        days = min(config.repeat_days, config.days)
        self.exposed = Shown(config.exposures * days // config.days, config.repeat_days * 24 + 2 * LAG)
        # What went on before the log begins: the better a stock item, the more it was clicked.
        before = (items.published < START) * np.exp(items.quality + rng.normal(0, 1, len(items.quality)))
        self.hot = 3.0 * before
        self.shown, self.clicked = 10 * self.hot, self.hot.copy()
        self.fresh = max(12.0, config.items * config.new_items / config.days / 4)
        self.pending: deque[list[tuple[Array, Array]]] = deque()
        self.hour = -1

    def begin(self, hour: int) -> None:
        """Takes in the events of some hours ago, and makes the lists anew when their time has come."""
        self.hour = hour
        self.hot *= FORGET
        self.pending.append([])
        for item, click in self.pending.popleft() if len(self.pending) > LAG else ():
            np.add.at(self.shown, item, 1)
            np.add.at(self.clicked, item[click], 1)
            np.add.at(self.hot, item[click], 1)
        if hour % REFRESH == 0:
            self._rank_lists()

    def _rank_lists(self) -> None:
        count = int(self.items.visible(np.asarray(START + self.hour * HOUR)))
        rate = (self.clicked[:count] + 1) / (self.shown[:count] + 10)
        age = (START + self.hour * HOUR - self.items.published[:count]) / DAY
        score = np.log1p(self.hot[:count]) + 2 * np.log(rate) + np.exp(-age / 3)
        self.ranked = Ranked(self.items.category[:count], score, CATEGORIES)
        top = np.argpartition(-self.hot[:count], min(TOP, count) - 1)[:TOP]
        self.top = top[np.argsort(-self.hot[top], kind="stable")]

    def page(self, asked: Asked, length: int) -> tuple[Slate, Array, Array]:
        """What to show: the slate, its items `(B, P)` and the channels that found them `(B, P)`."""
        items, allowed = self.candidates(asked)
        scores = self.scores(asked, np.maximum(items, 0))
        slate = draw_slate(scores, allowed, length, self.config.explore, self.rng)
        channel = np.repeat(np.arange(len(CHANNELS)), list(CHANNELS.values()))
        return slate, np.take_along_axis(items, slate.column, axis=1), channel[slate.column]

    def candidates(self, asked: Asked) -> tuple[Array, Array]:
        """Items `(B, K)`, and which of them may be shown: each once, and none that was shown of late."""
        visible = self.items.visible(asked.time)[:, None]
        found = [
            self._followed(asked, visible),
            self.by_cell.at(self.users.cell[asked.user][:, None], visible, self._offset(asked, "local", 4)),
            self._of_session(asked, visible),
            self._of_interest(asked),
            self.top[(len(self.top) * self._chance(asked, "popular") ** 2).astype(np.int64)],
            visible - 1 - np.minimum(self._offset(asked, "fresh", self.fresh), visible - 1),
            (visible * self._chance(asked, "explore")).astype(np.int64),
        ]
        items = np.concatenate(found, axis=1)
        # The lists are those of the hour, and late pages of a session are still of the hour before.
        allowed = first_of_each(items) & (items < visible)
        allowed &= ~self.exposed.has(asked.user[:, None], np.maximum(items, 0), self.hour + 1)
        return items, allowed

    def _chance(self, asked: Asked, channel: str) -> Array:
        return self.rng.random((len(asked.user), CHANNELS[channel]))

    def _offset(self, asked: Asked, channel: str, mean: float) -> Array:
        """How far behind the newest to look, mostly not far."""
        return (-mean * np.log1p(-self._chance(asked, channel))).astype(np.int64)

    def _followed(self, asked: Asked, visible: Array) -> Array:
        author = self.follows.draw(asked.user, self.rng, CHANNELS["followed"])
        return self.by_author.at(author, visible, self._offset(asked, "followed", 1))

    def _of_session(self, asked: Asked, visible: Array) -> Array:
        """More of the category that was clicked last."""
        category = np.repeat(asked.category[:, None], CHANNELS["session"], axis=1)
        drawn = self.ranked.draw(np.maximum(category, 0), self._chance(asked, "session"))
        return np.where(category >= 0, drawn, NONE)

    def _of_interest(self, asked: Asked) -> Array:
        """From the best of the categories that suit the profile."""
        liking = np.exp(6 * self._taste(asked.user) @ self.centre.T)
        category = drawn_rows(liking, self.rng, CHANNELS["interest"])
        return self.ranked.draw(category, self._chance(asked, "interest"))

    def _taste(self, user: Array) -> Array:
        return unit(self.profile[user].astype(np.float64))

    def scores(self, asked: Asked, items: Array) -> Array:
        """What the policy's model thinks of items `(B, K)`."""
        content = self.items.content[items].astype(np.float64)
        taste = 4.0 * self._taste(asked.user) + 1.0 * asked.recent
        rate = (self.clicked[items] + 1) / (self.shown[items] + 10)
        user, time = asked.user[:, None], asked.time[:, None]
        return np.asarray(
            np.einsum("bd,bkd->bk", taste, content)
            + np.log(rate)
            + 0.4 * nearness(self.users.cell[user], self.items.cell[items])
            + 0.5 * self.follows.has(user, self.items.author[items], time)
            + 0.5 * (time - self.items.published[items] < DAY)
        )

    def learn(self, asked: Asked, items: Array, shown: Array, click: Array) -> None:
        """What was shown is not shown again soon, and clicks make the profiles."""
        row, _ = np.nonzero(shown)
        self.exposed.add(asked.user[row], items[shown], self.hour + 1)
        self.pending[-1].append((items[shown], click[shown]))
        content = np.einsum("bp,bpd->bd", click * shown, self.items.content[items].astype(np.float64))
        count = (click * shown).sum(axis=1)
        heard = self.heard[asked.user] + count
        old = self.profile[asked.user]
        self.profile[asked.user] = old + (content - count[:, None] * old) / (KNOWN + heard)[:, None]
        self.heard[asked.user] = heard


def _centres(items: Items) -> Array:
    """Unit mean content of each category, `(C, D)`; an empty category has none."""
    total = np.zeros((CATEGORIES, items.content.shape[1]))
    np.add.at(total, items.category, items.content.astype(np.float64))
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9))


def first_profiles(users: Users, topics: Topics, turn: Array, rng: Random) -> Array:
    """Of known users a noisy picture, of new ones that of their age and gender, `(U, D)`."""
    weight = np.exp(users.weight.astype(np.float64))
    known = np.zeros(users.taste.shape)
    for place in range(users.interests.shape[1]):
        known += weight[:, place, None] * topics.vectors[users.interests[:, place]]
    known = known / weight.sum(axis=1, keepdims=True) + users.taste
    known = known @ turn + 0.5 * unit(rng.normal(size=known.shape))
    groups = int(users.group.max()) + 1
    total = np.zeros((groups, known.shape[1]))
    np.add.at(total, users.group, known)
    mean = total / np.maximum(np.bincount(users.group, minlength=groups), 1)[:, None]
    new = users.registered >= START
    return np.where(new[:, None], mean[users.group], known).astype(np.float32)

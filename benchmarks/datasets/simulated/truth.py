"""The laws of the world: how likely a user is to look, to click, and what follows a click."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.datasets.simulated.follows import Follows
from benchmarks.datasets.simulated.items import Items
from benchmarks.datasets.simulated.places import nearness
from benchmarks.datasets.simulated.topics import DAY, START, Array, Topics
from benchmarks.datasets.simulated.users import Users

SHARPNESS = 5.0
"""How narrow an interest is around its category's direction."""
WEIGHTS: dict[str, tuple[float, ...]] = {
    # Of interest, quality, how vocal the user is, whether the author is followed, whether it is a video.
    "like": (1.5, 0.5, 1.0, 0.4, 0.0),
    "collect": (1.0, 0.7, 0.6, 0.0, -0.5),
    "share": (0.8, 0.5, 1.0, 0.0, 0.2),
    "follow": (1.2, 0.8, 0.6, 0.0, 0.2),
    "comment": (0.6, 0.2, 1.2, 0.4, 0.1),
}
RATES = {"like": 0.14, "collect": 0.1, "share": 0.03, "follow": 0.02, "comment": 0.04}
"""Per click, roughly: the course's one collect in ten clicks, and the others around it."""
DONE = 0.8
"""Share of the duration from which on an item is finished."""


@dataclass(frozen=True)
class Moments:
    """Who asks, when and how; one row a request.

    Attributes:
        user: Row of the user, `(B,)`.
        time: Seconds, `(B,)`.
        mood: What the user is after right now, `(B, D)`; zero for nothing in particular.
        device: Index in `DEVICES`, `(B,)`.
        network: Index in `NETWORKS`, `(B,)`.
    """

    user: Array
    time: Array
    mood: Array
    device: Array
    network: Array


@dataclass(frozen=True)
class Facts:
    """All that the laws read of items at moments, each `(B, K)`."""

    interest: Array
    mood: Array
    quality: Array
    near: Array
    followed: Array
    fresh: Array
    trend: Array
    video: Array
    duration: Array
    eager: Array
    vocal: Array
    desktop: Array
    cellular: Array


@dataclass(frozen=True)
class Truth:
    """The world as it is, which no model may know.

    Attributes:
        topics: The categories.
        items: With their latent topics and qualities.
        users: With their latent interests.
        follows: Who follows whom; grows while the world runs.
        intercepts: Log-odds that set the overall rates, by `click` and the tasks of `WEIGHTS`.
        position_bias: Exponent of `seen`.
        satiation: Log-odds that each similar item above costs.
    """

    topics: Topics
    items: Items
    users: Users
    follows: Follows
    intercepts: dict[str, float]
    position_bias: float
    satiation: float

    def seen(self, positions: Array) -> Array:
        """Probability that the user looks at a position, 1 for the first."""
        return np.asarray(positions.astype(np.float64) ** -self.position_bias)

    def interest(self, user: Array, items: Array, times: Array) -> Array:
        """Long-term interest `(B, K)`: the log-density of a mixture of directions, which drifts."""
        topic = self.items.topic[items].astype(np.float64)
        weight = self.users.weight[user] + self.users.drift[user] * ((times - START) / (30 * DAY))[:, None]
        weight = weight - np.log(np.exp(weight).sum(axis=1, keepdims=True))
        near = self.topics.vectors[self.users.interests[user]] @ topic.transpose(0, 2, 1)
        mixture = np.log(np.exp(weight[:, :, None] + SHARPNESS * near).sum(axis=1)) / SHARPNESS
        return np.asarray(mixture + np.einsum("bd,bkd->bk", self.users.taste[user].astype(np.float64), topic))

    def facts(self, moments: Moments, items: Array) -> Facts:
        """What matters of `items (B, K)` at `moments`."""
        user, time = moments.user[:, None], moments.time[:, None]
        age = np.maximum(time - self.items.published[items], 0) / DAY
        topic = self.items.topic[items].astype(np.float64)
        return Facts(
            interest=self.interest(moments.user, items, moments.time),
            mood=np.einsum("bd,bkd->bk", moments.mood, topic),
            quality=self.items.quality[items].astype(np.float64),
            near=nearness(self.users.cell[user], self.items.cell[items]),
            followed=self.follows.has(user, self.items.author[items], time),
            fresh=np.exp(-age / 2),
            trend=self.topics.trend(self.items.category[items], time),
            video=self.items.video[items],
            duration=self.items.duration[items],
            eager=self.users.eager[user].astype(np.float64),
            vocal=self.users.vocal[user].astype(np.float64),
            desktop=(moments.device == 2)[:, None],
            cellular=(moments.network == 1)[:, None],
        )

    def click(self, facts: Facts, above: Array | None = None) -> Array:
        """Probability of a click given that the item is looked at.

        Args:
            facts: Of the items.
            above: How many items further up on the page are of the same category, none where left out.
        """
        logit = self.click_logit(facts)
        return sigmoid(logit if above is None else logit - self.satiation * above)

    def click_logit(self, facts: Facts) -> Array:
        """Log-odds of a click at the top of a page."""
        return np.asarray(
            self.intercepts["click"]
            + 4.0 * facts.interest
            + 1.5 * facts.mood
            + 0.8 * facts.quality
            + 0.6 * facts.near
            + 0.7 * facts.followed
            + 0.5 * facts.fresh
            + facts.trend
            + facts.eager
            - 0.2 * facts.desktop
            - 0.5 * facts.cellular * facts.video
        )

    def task_logit(self, task: str, facts: Facts) -> Array:
        """Log-odds of what may follow a click, given the click."""
        parts = (facts.interest, facts.quality, facts.vocal, facts.followed, facts.video)
        return np.asarray(
            self.intercepts[task] + sum(w * x for w, x in zip(WEIGHTS[task], parts, strict=True))
        )

    def task(self, task: str, facts: Facts) -> Array:
        """Probability of a task given a click; nobody follows whom they follow already."""
        chance = sigmoid(self.task_logit(task, facts))
        return np.where(facts.followed, 0.0, chance) if task == "follow" else chance

    def patience(self, facts: Facts) -> Array:
        """Mean seconds until the user leaves, were the item endless; long items are given more."""
        level = 0.8 * facts.interest + 0.3 * facts.quality + 0.5 * np.log(facts.duration / 40)
        return np.asarray(30 * np.exp(level - 0.3 * facts.cellular * facts.video))

    def finish(self, facts: Facts) -> Array:
        """Probability that at least 80 % is played, given a click."""
        return np.asarray(np.exp(-DONE * facts.duration / self.patience(facts)))

    def play_seconds(self, facts: Facts) -> Array:
        """Expected seconds played given a click: who leaves at a constant rate, until the end at most."""
        patience = self.patience(facts)
        return np.asarray(patience * -np.expm1(-facts.duration / patience))


def sigmoid(logit: Array) -> Array:
    """The probability of some log-odds."""
    return np.asarray(1 / (1 + np.exp(-logit)))


def same_above(category: Array) -> Array:
    """How many of the items further left in the row are of the same category, `(B, K)`."""
    same = category[:, :, None] == category[:, None, :]
    return np.asarray(np.tril(same, -1).sum(axis=2))


def intercept(logit: Array, weight: Array, rate: float) -> float:
    """What to add to `logit` so that the weighted mean of the probabilities is `rate`; by bisection."""
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        too_high = (weight * sigmoid(logit + middle)).sum() > rate * weight.sum()
        low, high = (low, middle) if too_high else (middle, high)
    return (low + high) / 2

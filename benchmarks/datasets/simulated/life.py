"""What happens: hour by hour, page by page, for all open sessions at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.datasets.simulated.policy import Asked
from benchmarks.datasets.simulated.sessions import GAP
from benchmarks.datasets.simulated.slate import Slate
from benchmarks.datasets.simulated.topics import DIM, HOUR, START, Array
from benchmarks.datasets.simulated.truth import DONE, WEIGHTS, Facts, Moments, same_above
from benchmarks.datasets.simulated.world import World, draw_moods

ROUNDS = 4
"""Pages of a session within an hour's step: a session of 12 pages is over before the user's next begins."""
PAUSE = 20
LONGEST_PAGE = 400
"""Seconds from a page to the next: a pause, and what was played up to this much."""


@dataclass(frozen=True)
class Pages:
    """Pages that were shown, by request `(B, …)`.

    Attributes:
        session: Row of the session.
        moments: Who asked, when, in which mood.
        items: `(B, P)`.
        channel: Which channel found each, `(B, P)`.
        slate: How they were chosen; `shown` is False behind the place where the user left.
        outcomes: What happened by name, `(B, P)`.
        chances: What was to be expected by name, `(B, P)`: probabilities, and the seconds played.
    """

    session: Array
    moments: Moments
    items: Array
    channel: Array
    slate: Slate
    outcomes: dict[str, Array]
    chances: dict[str, Array]


class Life:
    """The state of all sessions of a world.

    Args:
        world: It learns and changes while this goes on.
    """

    def __init__(self, world: World) -> None:
        self.world, sessions = world, world.sessions
        self.clock, self.left = sessions.start.copy(), sessions.length.copy()
        self.mood = draw_moods(world.truth.topics, world.truth.users, sessions.user, world.rng)
        self.recent = np.zeros((len(sessions.user), DIM))
        self.category = np.full(len(sessions.user), -1)
        self.followed: list[tuple[Array, Array, Array]] = []

    def pages(self) -> Iterator[Pages]:
        """All pages; those of a user in the order of time."""
        hours = self.world.config.days * 24
        ends = np.searchsorted(self.world.sessions.start, START + HOUR * np.arange(1, hours + 1))
        waiting, begun, hour = np.zeros(0, dtype=np.int64), 0, 0
        while hour < hours or len(waiting):
            end = ends[min(hour, hours - 1)]
            waiting = np.concatenate([waiting, np.arange(begun, end)])
            begun = end
            self.world.policy.begin(hour)
            for _ in range(ROUNDS):
                if len(waiting):
                    yield self.serve(waiting)
                    waiting = waiting[self.left[waiting] > 0]
            self._follow()
            hour += 1

    def serve(self, rows: Array) -> Pages:
        """The next page of each session in `rows`, and what its user makes of it."""
        world, sessions = self.world, self.world.sessions
        user, time = sessions.user[rows], self.clock[rows]
        asked = Asked(user, time, self.recent[rows], self.category[rows])
        slate, items, channel = world.policy.page(asked, world.config.page)
        until_left = np.arange(world.config.page) < self.left[rows, None]
        slate = replace(slate, shown=slate.shown & until_left)
        items = np.maximum(items, 0)
        moments = Moments(user, time, self.mood[rows], sessions.device[rows], sessions.network[rows])
        facts = world.truth.facts(moments, items)
        chances = self._chances(facts, items)
        outcomes = self._outcomes(facts, chances, slate.shown)
        world.policy.learn(asked, items, slate.shown, outcomes["click"])
        self._move_on(rows, items, outcomes)
        return Pages(rows, moments, items, channel, slate, outcomes, chances)

    def _chances(self, facts: Facts, items: Array) -> dict[str, Array]:
        truth = self.world.truth
        above = same_above(truth.items.category[items])
        seen = np.broadcast_to(truth.seen(np.arange(1, items.shape[1] + 1)), items.shape)
        first = {"seen": seen, "click": truth.click(facts, above), "finish": truth.finish(facts)}
        tasks = {task: truth.task(task, facts) for task in WEIGHTS}
        return {**first, **tasks, "play_seconds": truth.play_seconds(facts)}

    def _outcomes(self, facts: Facts, chances: dict[str, Array], shown: Array) -> dict[str, Array]:
        """Everything behind a click happens to those who clicked only."""
        rng, shape = self.world.rng, shown.shape
        click = shown & (rng.random(shape) < chances["seen"] * chances["click"])
        # Only clicks need the rest, and they are few.
        drawn = rng.random((int(click.sum()), len(WEIGHTS)))
        outcomes = {"click": click}
        for column, task in enumerate(WEIGHTS):
            outcomes[task] = np.zeros(shape, dtype=bool)
            outcomes[task][click] = drawn[:, column] < chances[task][click]
        patience = self.world.truth.patience(facts)[click]
        stayed = np.minimum(patience * rng.exponential(size=len(patience)), facts.duration[click])
        play = np.zeros(shape, dtype=np.float32)
        play[click] = np.round(stayed, 2)
        # Of what is written down, so that the log agrees with itself.
        outcomes["finish"] = click & (play.astype(np.float64) >= DONE * facts.duration)
        return {**outcomes, "play_seconds": play}

    def _move_on(self, rows: Array, items: Array, outcomes: dict[str, Array]) -> None:
        """Clicks turn the mood, and what the policy knows of it; then time passes."""
        of, sessions, click = self.world.truth.items, self.world.sessions, outcomes["click"]
        row, column = np.nonzero(click)
        clicked, hit = items[row, column], click.any(axis=1)
        topic, content = np.zeros((len(rows), DIM)), np.zeros((len(rows), DIM))
        np.add.at(topic, row, of.topic[clicked])
        np.add.at(content, row, of.content[clicked])
        count = np.maximum(click.sum(axis=1), 1)[:, None]
        self.mood[rows[hit]] = (0.6 * self.mood[rows] + 0.5 * topic / count)[hit]
        self.recent[rows[hit]] = (0.5 * self.recent[rows] + 0.7 * content / count)[hit]
        # A row that is there several times is left with its last: the lowest on the page.
        self.category[rows[row]] = of.category[clicked]
        follow = rows[np.nonzero(outcomes["follow"])[0]]
        self.followed.append(
            (sessions.user[follow], of.author[items[outcomes["follow"]]], sessions.start[follow] + GAP)
        )
        played = np.minimum(outcomes["play_seconds"].sum(axis=1), LONGEST_PAGE)
        self.clock[rows] += PAUSE + played.astype(np.int64)
        self.left[rows] -= items.shape[1]

    def _follow(self) -> None:
        """New follows count from the user's next session on."""
        if any(len(user) for user, _, _ in self.followed):
            user, author, since = map(np.concatenate, zip(*self.followed, strict=True))
            self.world.truth.follows.add(user, author, since)
        self.followed.clear()

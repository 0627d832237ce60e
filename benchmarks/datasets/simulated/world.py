"""A world at its beginning: everything drawn, and the overall rates set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.datasets.simulated.config import SimulationConfig
from benchmarks.datasets.simulated.follows import Follows
from benchmarks.datasets.simulated.items import Authors, draw_authors, draw_items
from benchmarks.datasets.simulated.places import Places, draw_places
from benchmarks.datasets.simulated.policy import Asked, Policy, first_profiles
from benchmarks.datasets.simulated.sessions import Sessions, draw_sessions, join
from benchmarks.datasets.simulated.topics import DIM, HOUR, START, Array, Random, Topics, choose, draw_topics
from benchmarks.datasets.simulated.truth import RATES, Moments, Truth, intercept, same_above
from benchmarks.datasets.simulated.users import Users, draw_follows, draw_users

PILOT = 2000
"""Requests by which the overall rates are set."""
MOOD = 0.6
"""How strongly a session is about one topic from the start."""
ON_PROFILE = 0.75
"""Share of the sessions that are about a long-term interest."""
COLD = 0.8
"""What first pages get of the clicks to come: later ones know more of the user, whose mood has settled."""
_NEUTRAL = dict.fromkeys(["click", *RATES], 0.0)


@dataclass(frozen=True)
class World:
    """All there is.

    Attributes:
        config: What it was made from.
        places: Cities and quarters.
        authors: Who publishes.
        truth: Items, users, and the laws.
        sessions: Who comes when.
        policy: What is shown to them.
        rng: Of what happens.
    """

    config: SimulationConfig
    places: Places
    authors: Authors
    truth: Truth
    sessions: Sessions
    policy: Policy
    rng: Random


def build(config: SimulationConfig) -> World:
    """The world of a config; every part has random numbers of its own."""
    streams = np.random.SeedSequence(config.seed).spawn(7)
    base, of_items, of_users, of_sessions, of_policy, of_pilot, of_run = map(np.random.default_rng, streams)
    topics, places = draw_topics(base), draw_places(base)
    turn = np.linalg.qr(base.normal(size=(DIM, DIM)))[0]
    authors = draw_authors(config, topics, places, of_items)
    items = draw_items(config, topics, authors, places, turn, of_items)
    users = draw_users(config, topics, places, of_users)
    user, author = draw_follows(users, authors, of_users)
    follows = Follows(len(authors.weight), user * len(authors.weight) + author, np.zeros(len(user), np.int64))
    sessions = draw_sessions(config, users, of_sessions)
    users = replace(users, registered=join(users, sessions, of_sessions))
    truth = Truth(topics, items, users, follows, _NEUTRAL, config.position_bias, config.satiation)
    profiles = first_profiles(users, topics, turn, of_policy)
    policy = Policy(config, items, users, follows, profiles, of_policy)
    truth = replace(truth, intercepts=_intercepts(config, truth, policy, of_pilot))
    return World(config, places, authors, truth, sessions, policy, of_run)


def draw_moods(topics: Topics, users: Users, user: Array, rng: Random) -> Array:
    """What sessions are about when they begin: mostly an interest of the user, `(B, D)`."""
    place = rng.integers(0, users.interests.shape[1], len(user))
    other = choose(rng, topics.share, len(user))
    category = np.where(rng.random(len(user)) < ON_PROFILE, users.interests[user, place], other)
    return MOOD * topics.vectors[category]


def _intercepts(config: SimulationConfig, truth: Truth, policy: Policy, rng: Random) -> dict[str, float]:
    """Click so that the rate is the config's in the end, the tasks so that theirs hold for those clicks."""
    user = choose(rng, truth.users.activity, PILOT)
    time = np.full(PILOT, START + HOUR)
    nobody = np.zeros(PILOT, dtype=np.int8)
    moments = Moments(user, time, draw_moods(truth.topics, truth.users, user, rng), nobody, nobody)
    policy.begin(0)
    asked = Asked(user, time, np.zeros((PILOT, DIM)), np.full(PILOT, -1))
    slate, items, _ = policy.page(asked, config.page)
    facts = truth.facts(moments, items)
    seen = truth.seen(np.arange(1, config.page + 1)) * slate.shown
    logit = truth.click_logit(facts) - config.satiation * same_above(truth.items.category[items])
    click = intercept(logit, seen, COLD * config.click_rate / _mean(seen, slate.shown))
    weight = seen / (1 + np.exp(-logit - click))
    tasks = {task: intercept(truth.task_logit(task, facts), weight, rate) for task, rate in RATES.items()}
    return {"click": click, **tasks}


def _mean(values: Array, mask: Array) -> float:
    return float(values[mask].mean())

"""The simulated world keeps its own laws."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from tiny_simulated import TASKS, TINY, column, rows, tiny_world

from benchmarks.datasets.simulated import Simulated, SimulationConfig, simulate
from benchmarks.datasets.simulated.items import draw_authors, draw_items
from benchmarks.datasets.simulated.places import draw_places
from benchmarks.datasets.simulated.policy import CHANNELS, Policy
from benchmarks.datasets.simulated.topics import DAY, DIM, HOUR, START, Array, draw_topics
from benchmarks.datasets.simulated.world import PILOT
from zoo.data.log import Log


@pytest.fixture(scope="module")
def tiny() -> Simulated:
    return tiny_world()


def gini(counts: Array) -> float:
    """Mean difference of all pairs over twice the mean."""
    return float(np.abs(counts[:, None] - counts).mean() / (2 * counts.mean()))


def test_equal_seeds_make_equal_worlds(tiny: Simulated) -> None:
    again = simulate(TINY)
    for name in ("events", "users", "items", "oracle"):
        assert getattr(tiny, name).equals(getattr(again, name))
    other = simulate(SimulationConfig(users=500, items=800, exposures=40_000, days=8, repeat_days=2, seed=1))
    for name in ("events", "users", "items", "oracle"):
        assert not getattr(tiny, name).equals(getattr(other, name))


def test_a_log_can_be_made_of_it(tiny: Simulated) -> None:
    log = Log.of(tiny.events, tiny.users, tiny.items)
    # Row by row the same, so ids as text are in the order of their numbers.
    assert log.users["user_id"].equals(tiny.users["user_id"])
    assert log.items["item_id"].equals(tiny.items["item_id"])
    assert log.events.num_rows == tiny.events.num_rows
    assert abs(log.events.num_rows - TINY.exposures) <= 20
    assert (np.diff(column(tiny.items, "published")) >= 0).all()


def test_nothing_latent_is_in_the_log(tiny: Simulated) -> None:
    names = {*tiny.events.column_names, *tiny.users.column_names, *tiny.items.column_names}
    assert not names & {"quality", "topic", "interest", "activity", "mood", "p_click", "p_seen"}
    assert not [name for name in names if name.startswith("p_")]
    # The content vectors are turned: alone they don't say which latent direction is which.
    content = np.stack([column(tiny.items, f"content_{place}") for place in range(DIM)], axis=1)
    assert not np.allclose(content, tiny.world.truth.items.topic, atol=0.1)


def test_only_what_was_clicked_is_finished_liked_or_played(tiny: Simulated) -> None:
    _, item = rows(tiny)
    click, play = column(tiny.events, "click"), column(tiny.events, "play_seconds").astype(np.float64)
    duration = column(tiny.items, "duration")[item]
    for task in TASKS:
        assert set(np.unique(column(tiny.events, task))) == {0, 1}
        assert not column(tiny.events, task)[click == 0].any()
    assert not play[click == 0].any()
    assert (play <= duration).all()
    assert ((play >= 0.8 * duration) & (click == 1)).astype(int).tolist() == column(
        tiny.events, "finish"
    ).tolist()


def test_nothing_is_shown_before_it_is_there_nor_to_who_is_not(tiny: Simulated) -> None:
    user, item = rows(tiny)
    time = column(tiny.events, "time")
    assert (time >= column(tiny.items, "published")[item]).all()
    assert (time > column(tiny.users, "registered")[user]).all()
    assert time.min() >= START and time.max() < START + TINY.days * DAY
    registered = column(tiny.users, "registered")
    assert 0.1 < (registered >= START).mean() < 0.3
    first = np.full(TINY.users, START * 2)
    np.minimum.at(first, user, time)
    came = (registered >= START) & (first < START * 2)
    assert (first - registered)[came].max() <= 300, "somebody new comes at once"


def test_nothing_is_shown_again_too_soon(tiny: Simulated) -> None:
    user, item = rows(tiny)
    time = column(tiny.events, "time")
    order = np.lexsort((time, item, user))
    same = (np.diff(user[order]) == 0) & (np.diff(item[order]) == 0)
    assert same.any(), "later it may be shown again"
    assert np.diff(time[order])[same].min() >= TINY.repeat_days * DAY


def test_sessions_of_a_user_do_not_overlap_and_positions_count_from_one(tiny: Simulated) -> None:
    user, _ = rows(tiny)
    time, session = column(tiny.events, "time"), column(tiny.events, "session_id")
    order = np.lexsort((time, user))
    jumps = np.diff(user[order]) == 0
    new = jumps & (np.diff(session[order]) != 0)
    assert np.diff(time[order])[new].min() > HOUR / 2
    assert len(np.unique(session)) - 1 == new.sum() + (~jumps).sum(), "a session is one stretch of one user"
    position, request = column(tiny.events, "position"), column(tiny.events, "request_id")
    assert (position[np.concatenate([[True], np.diff(request) > 0])] == 1).all()
    assert (np.diff(position)[np.diff(request) == 0] == 1).all()
    assert position.max() == TINY.page


def test_nobody_follows_whom_they_follow(tiny: Simulated) -> None:
    user, item = rows(tiny)
    author = tiny.items["author_id"].to_numpy()[item]
    followed = tiny.users["followed_authors"].to_pylist()
    already = np.array([name in followed[who] for who, name in zip(user, author, strict=True)])
    assert already.sum() > 500
    assert not column(tiny.events, "follow")[already].any()
    assert not column(tiny.oracle, "p_follow")[already].any()
    assert not any(
        names for names, at in zip(followed, column(tiny.users, "registered"), strict=True) if at >= START
    )


def test_rates_and_skew_are_those_of_a_platform(tiny: Simulated) -> None:
    click = column(tiny.events, "click")
    assert 0.06 < click.mean() < 0.14
    bands = {"like": (0.1, 0.2), "collect": (0.07, 0.14), "share": (0.015, 0.06), "follow": (0.008, 0.04)}
    for task, (low, high) in (bands | {"comment": (0.02, 0.07), "finish": (0.4, 0.8)}).items():
        assert low < column(tiny.events, task)[click == 1].mean() < high
    user, item = rows(tiny)
    assert 0.35 < gini(np.bincount(item, minlength=TINY.items)) < 0.8
    assert 0.5 < gini(np.bincount(item[click == 1], minlength=TINY.items)) < 0.9
    assert 0.4 < gini(np.bincount(user, minlength=TINY.users)) < 0.75
    position = column(tiny.events, "position")
    assert click[position <= 2].mean() > 1.5 * click[position >= 9].mean()
    assert 0.03 < column(tiny.events, "explored").mean() < 0.07
    assert set(tiny.events["channel"].to_pylist()) == set(CHANNELS)


def test_what_is_popular_changes(tiny: Simulated) -> None:
    _, item = rows(tiny)
    day = (column(tiny.events, "time") - START) // DAY
    top = [set(np.argsort(-np.bincount(item[day == when], minlength=TINY.items))[:50]) for when in (0, 7)]
    assert len(top[0] & top[1]) < 25
    new = column(tiny.items, "published")[item] >= START
    assert not new[day == 0].mean() > new[day == 7].mean() > 0.2


def test_items_are_published_every_hour() -> None:
    rng, config = np.random.default_rng(0), SimulationConfig()
    topics, places = draw_topics(rng), draw_places(rng)
    items = draw_items(config, topics, draw_authors(config, topics, places, rng), places, np.eye(DIM), rng)
    new = items.published[items.published >= START]
    assert len(new) == 2000
    assert np.bincount((new - START) // HOUR, minlength=720).min() >= 1


def test_cost_does_not_grow_with_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []
    scores = Policy.scores
    monkeypatch.setattr(
        Policy, "scores", lambda self, asked, items: judged.append(items.size) or scores(self, asked, items)
    )
    config = SimulationConfig(users=20_000, items=20_000, exposures=5_000, days=2)
    tracemalloc.start()
    try:
        world = simulate(config)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    requests = len(np.unique(column(world.events, "request_id")))
    assert sum(judged) == (requests + PILOT) * sum(CHANNELS.values())
    assert peak < 0.2 * config.users * config.items, "a fifth of a byte for each pair"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("users", 0),
        ("items", 100),
        ("exposures", 0),
        ("exposures", 10**9),
        ("days", 0),
        ("seed", -1),
        ("page", 0),
        ("explore", 1.0),
        ("repeat_days", -1),
        ("new_users", -0.1),
        ("new_items", 0.95),
        ("click_rate", 0.0),
        ("position_bias", 3.0),
        ("satiation", -1.0),
    ],
)
def test_a_mistake_in_the_config_names_its_field(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"(?m)^{field} must"):
        SimulationConfig(**{field: value})


@pytest.mark.parametrize(
    "options",
    [{"new_users": 0.0, "new_items": 0.0}, {"page": 1}, {"repeat_days": 0}, {"explore": 0.0}, {"days": 1}],
)
def test_odd_worlds_work_too(options: dict[str, float]) -> None:
    config = SimulationConfig(**({"users": 60, "items": 300, "exposures": 600, "days": 3} | options))  # type: ignore[arg-type]
    world = simulate(config)
    assert world.events.num_rows == 600
    propensity = column(world.events, "propensity")
    assert ((propensity > 0) & (propensity <= 1)).all()

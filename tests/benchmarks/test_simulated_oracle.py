"""The oracle of the simulated world tells the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_simulated import TASKS, TINY, column, rows, tiny_world

from benchmarks.datasets.simulated import Simulated, load_oracle
from benchmarks.datasets.simulated.topics import Array
from zoo.core.errors import UserError


@pytest.fixture(scope="module")
def tiny() -> Simulated:
    return tiny_world()


def sigmas(seen: Array, chance: Array) -> float:
    """How far a number of yeses is from what was to be expected, in standard deviations."""
    return float(abs(seen.sum() - chance.sum()) / np.sqrt((chance * (1 - chance)).sum() + 1e-9))


def test_the_oracle_is_beside_the_events_and_marked(tiny: Simulated) -> None:
    keys = ["user_id", "item_id", "time", "order"]
    assert tiny.oracle.select(keys).equals(tiny.events.select(keys))
    assert b"never to be read by a model" in tiny.oracle.schema.metadata[b"about"]


def test_the_oracle_is_calibrated(tiny: Simulated) -> None:
    click = column(tiny.events, "click")
    given_seen = column(tiny.oracle, "p_click").astype(np.float64)
    chance = given_seen * column(tiny.oracle, "p_seen")
    assert sigmas(click, chance) < 4
    for position in range(1, TINY.page + 1):
        there = column(tiny.events, "position") == position
        assert sigmas(click[there], chance[there]) < 4
    for part in np.array_split(np.argsort(given_seen), 10):
        assert sigmas(click[part], chance[part]) < 4
    assert given_seen.std() > 0.05, "else being calibrated says little"


@pytest.mark.parametrize("task", TASKS)
def test_the_oracle_is_calibrated_given_a_click(tiny: Simulated, task: str) -> None:
    clicked = column(tiny.events, "click") == 1
    label, chance = column(tiny.events, task)[clicked], column(tiny.oracle, f"p_{task}")[clicked]
    chance = chance.astype(np.float64)
    assert sigmas(label, chance) < 4
    for part in np.array_split(np.argsort(chance), 4):
        assert sigmas(label[part], chance[part]) < 4


def test_expected_watch_time_is_the_mean_one(tiny: Simulated) -> None:
    clicked = column(tiny.events, "click") == 1
    play, expected = (column(table, "play_seconds")[clicked] for table in (tiny.events, tiny.oracle))
    for part in np.array_split(np.argsort(expected), 4):
        error = (play - expected)[part]
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(len(error))


def test_the_oracle_knows_any_pair(tiny: Simulated) -> None:
    user, item = rows(tiny)
    time, position = column(tiny.events, "time"), column(tiny.events, "position")
    top = position == 1
    assert np.allclose(
        tiny.world.click(user[top], item[top][:, None], time[top])[:, 0],
        column(tiny.oracle, "p_click")[top],
        atol=1e-6,
    )
    after = tiny.world.after_click(user, item[:, None], time)
    for name in ("finish", "like", "collect", "share", "follow", "comment"):
        assert np.allclose(after[name][:, 0], column(tiny.oracle, f"p_{name}"), atol=1e-6)
    assert np.allclose(after["play_seconds"][:, 0], column(tiny.oracle, "play_seconds"), rtol=1e-5)


def whole_pages(world: Simulated) -> tuple[Array, Array, Array, Array]:
    """Users, items `(B, P)`, times of the full pages, and where each begins."""
    user, item = rows(world)
    last = np.nonzero(column(world.events, "position") == TINY.page)[0]
    first = last - TINY.page + 1
    return (
        user[first],
        item[first[:, None] + np.arange(TINY.page)],
        column(world.events, "time")[first],
        first,
    )


def test_the_oracle_judges_whole_pages(tiny: Simulated) -> None:
    user, items, time, first = whole_pages(tiny)
    chance = column(tiny.oracle, "p_seen") * column(tiny.oracle, "p_click").astype(np.float64)
    logged = chance[first[:, None] + np.arange(TINY.page)].sum(axis=1)
    assert np.allclose(tiny.world.pages(user, items, time), logged, atol=1e-5)
    # Regret: what is there at the time, best first, is better than what was shown.
    some = slice(0, 40)
    there = np.arange(int(tiny.world.truth.items.visible(time[some].min())))
    best = there[np.argsort(-tiny.world.click(user[some], there, time[some]), axis=1)[:, : TINY.page]]
    assert (tiny.world.pages(user[some], best, time[some]) > logged[some]).mean() > 0.95


def test_an_oracle_is_kept_in_a_file(tiny: Simulated, tmp_path: Path) -> None:
    user, items, time, _ = whole_pages(tiny)
    path = tmp_path / "oracle.safetensors"
    tiny.world.save(path)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert np.array_equal(load_oracle(path).pages(user, items, time), tiny.world.pages(user, items, time))
    path.write_bytes(b"not an oracle")
    with pytest.raises(UserError, match="cannot read an oracle"):
        load_oracle(path)

"""The logging policy's parts against naive ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.datasets.simulated.channels import Newest, Ranked, Shown, drawn_rows, first_of_each
from benchmarks.datasets.simulated.follows import Follows
from benchmarks.datasets.simulated.places import nearness
from benchmarks.datasets.simulated.slate import draw_slate, propensities
from benchmarks.datasets.simulated.topics import choose
from benchmarks.datasets.simulated.truth import intercept, same_above, sigmoid

SCORES = [1.2, 0.1, -0.7, 0.5, 0.9]
EXPLORE = 0.3


def chance_of(order: tuple[int, ...], candidates: list[int]) -> list[float]:
    """By the book: one position after another, uniform or in proportion to exp(score)."""
    left, found = list(candidates), []
    for item in order:
        total = sum(np.exp(SCORES[other]) for other in left)
        found.append((1 - EXPLORE) * np.exp(SCORES[item]) / total + EXPLORE / len(left))
        left.remove(item)
    return found


def test_propensities_are_the_frequencies_of_replays() -> None:
    replays = 200_000
    scores = np.tile(SCORES, (replays, 1))
    allowed = np.ones(scores.shape, dtype=bool)
    allowed[:, 3] = False
    slate = draw_slate(scores, allowed, 3, EXPLORE, np.random.default_rng(0))
    assert slate.shown.all()
    assert abs(slate.explored.mean() - EXPLORE) < 0.005
    codes = slate.column @ np.array([25, 5, 1])
    for order in itertools.permutations([0, 1, 2, 4], 3):
        expected = chance_of(order, [0, 1, 2, 4])
        here = codes == order[0] * 25 + order[1] * 5 + order[2]
        share = np.prod(expected)
        assert abs(here.mean() - share) < 4.5 * np.sqrt(share * (1 - share) / replays), order
        assert np.allclose(slate.propensity[here], expected)
    assert not (slate.column == 3).any()


def test_propensities_of_what_may_come_next_sum_to_one() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 3, (1, 12))
    scores[0, 9:] = -np.inf
    for shown in range(9):
        nexts = [np.roll(scores[:, shown:9], place, axis=1) for place in range(9 - shown)]
        pages = [np.concatenate([scores[:, :shown], part, scores[:, 9:]], axis=1) for part in nexts]
        assert np.isclose(sum(propensities(page, 10, 0.1)[0, shown] for page in pages), 1)
    assert propensities(scores, 10, 0.1)[0, 9] == 0


def test_a_page_ends_where_candidates_do() -> None:
    allowed = np.array([[True, False, True, False], [False] * 4])
    slate = draw_slate(np.zeros((2, 4)), allowed, 3, 0.5, np.random.default_rng(0))
    assert slate.shown.tolist() == [[True, True, False], [False] * 3]
    assert set(slate.column[0, :2]) == {0, 2}
    assert not slate.propensity[~slate.shown].any()


def test_without_exploration_nothing_is_explored() -> None:
    slate = draw_slate(np.zeros((50, 8)), np.ones((50, 8), dtype=bool), 8, 0.0, np.random.default_rng(0))
    assert not slate.explored.any()
    assert np.allclose(slate.propensity, 1 / np.arange(8, 0, -1))
    assert (np.sort(slate.column, axis=1) == np.arange(8)).all()


def test_the_newest_of_a_group() -> None:
    rng = np.random.default_rng(2)
    group = rng.integers(-1, 4, 40)
    newest = Newest(group)
    for wanted, visible, offset in itertools.product(range(-1, 5), (0, 1, 17, 40), (0, 1, 6)):
        own = [row for row in range(visible) if group[row] == wanted and wanted >= 0][::-1]
        found = newest.at(np.array([wanted]), np.array([visible]), np.array([offset]))
        assert found[0] == (own[offset] if offset < len(own) else -1)
    assert Newest(np.full(5, -1)).at(np.array([0]), np.array([5]), np.array([0])).tolist() == [-1]


def test_the_best_of_a_group_come_first() -> None:
    group, score = np.array([0, 2, 2, 0, 2]), np.array([1.0, 5.0, 7.0, 2.0, 6.0])
    ranked = Ranked(group, score, 4)
    at = np.array([0.0, 0.7, 0.999])
    assert ranked.draw(np.full(3, 2), at).tolist() == [2, 4, 1]
    assert ranked.draw(np.array([0, 1, 3]), np.zeros(3)).tolist() == [3, -1, -1]


def test_what_was_shown_is_never_forgotten_too_early() -> None:
    rng = np.random.default_rng(3)
    shown = Shown(20_000, 24)
    user, item = rng.integers(0, 900, 20_000), rng.integers(0, 5_000, 20_000)
    hours = np.sort(rng.integers(1, 60, 20_000))
    for hour in range(1, 60):
        shown.add(user[hours == hour], item[hours == hour], hour)
    recent = hours > 60 - 24
    assert shown.has(user[recent], item[recent], 60).all()
    others = rng.integers(1_000, 2_000, 20_000)
    assert shown.has(others, item, 60).mean() < 0.05
    assert not shown.has(user, item, 60 + 24).any()


def test_follows_are_a_set_of_pairs_with_a_time() -> None:
    rng = np.random.default_rng(4)
    follows = Follows(7, np.zeros(0, np.int64), np.zeros(0, np.int64))
    known: dict[tuple[int, int], int] = {}
    everybody = np.arange(5)
    assert not follows.has(everybody, everybody, np.array([9])).any()
    assert (follows.draw(everybody, rng, 2) == -1).all()
    for since in range(1, 6):
        user, author = rng.integers(0, 5, 4), rng.integers(0, 7, 4)
        follows.add(user, author, np.full(4, since))
        for pair in zip(user.tolist(), author.tolist(), strict=True):
            known.setdefault(pair, since)
        for time in (0, 3, 9):
            found = follows.has(np.arange(5)[:, None], np.arange(7), np.array([[time]]))
            naive = [[known.get((who, whom), 99) <= time for whom in range(7)] for who in range(5)]
            assert found.tolist() == naive
    drawn = follows.draw(everybody, rng, 50)
    for who in everybody:
        assert set(drawn[who].tolist()) == ({whom for one, whom in known if one == who} or {-1})


def test_the_first_of_each_in_a_row() -> None:
    items = np.random.default_rng(5).integers(-1, 6, (30, 9))
    naive = [
        [value >= 0 and value not in row[:place] for place, value in enumerate(row)] for row in items.tolist()
    ]
    assert first_of_each(items).tolist() == naive


def test_draws_follow_their_weights() -> None:
    weights, rng = np.array([0.5, 0.0, 2.0, 1.5]), np.random.default_rng(6)
    share = weights / weights.sum()
    for drawn in (choose(rng, weights, 40_000), drawn_rows(np.tile(weights, (400, 1)), rng, 100).ravel()):
        assert np.allclose(np.bincount(drawn, minlength=4) / len(drawn), share, atol=0.012)
        assert not (drawn == 1).any()


def test_items_alike_further_up_are_counted() -> None:
    category = np.random.default_rng(7).integers(0, 3, (20, 6))
    naive = [[row[:place].count(value) for place, value in enumerate(row)] for row in category.tolist()]
    assert same_above(category).tolist() == naive


@pytest.mark.parametrize("rate", [0.02, 0.4, 0.9])
def test_an_intercept_sets_the_weighted_rate(rate: float) -> None:
    rng = np.random.default_rng(8)
    logit, weight = rng.normal(size=500), rng.random(500)
    assert np.isclose(np.average(sigmoid(logit + intercept(logit, weight, rate)), weights=weight), rate)


def test_near_is_the_same_quarter_or_the_same_city() -> None:
    assert nearness(np.array([13, 13, 13, 13, 3]), np.array([13, 14, 23, -1, -1])).tolist() == [
        1,
        0.5,
        0,
        0,
        0,
    ]

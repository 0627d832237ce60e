"""Swing against loops over all pairs of users."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import mix, padded_ids
from zoo.core.registry import create_model
from zoo.core.schema import Feature, Schema
from zoo.core.types import Request
from zoo.recall.swing import Swing

ITEMS = 8
SCHEMA = Schema(
    (
        Feature("history:watch", "history", "sequence", ITEMS + 1, 5, "watch"),
        Feature("item_id", "item_id", "categorical", ITEMS + 1),
    )
)


def counted(histories: list[list[int]], keys: list[int] | None = None, **params: object) -> Swing:
    model: Swing = create_model("recall/swing", SCHEMA, **params)
    keys = list(range(len(histories))) if keys is None else keys
    for start in range(0, len(histories), 3):
        part = {"history:watch": padded_ids(histories[start : start + 3])}
        model.count(part | {"user_id": torch.tensor(keys[start : start + 3])})
    model.finish()
    return model


def similarity(model: Swing) -> np.ndarray:
    """`(ITEMS + 1, ITEMS + 1)` by seed and target: what each seed alone gives every item."""
    ids = torch.arange(ITEMS + 1)
    return model.score(Request({"history:watch": ids[:, None]}), ids.expand(ITEMS + 1, -1)).numpy()


def reference(histories: list[list[int]], **params: object) -> np.ndarray:
    """The definition in loops, by seed and target; of popular items only those users that the hash draws."""
    options = vars(Swing.Config(**params))
    likes = [set(history) for history in histories]
    drawn: dict[int, list[int]] = {}
    n = [max(1, sum(item in liked for liked in likes)) for item in range(ITEMS + 1)]
    for item in range(ITEMS + 1):
        users = [user for user, liked in enumerate(likes) if item in liked]
        by_hash = sorted(users, key=lambda user: -mix(user, item, options["seed"]))
        drawn[item] = by_hash[: options["max_users"]]
    found = np.zeros((ITEMS + 1, ITEMS + 1))
    for fixed in range(1, ITEMS + 1):
        row = np.zeros(ITEMS + 1)
        pairs = list(permutations(drawn[fixed], 2))
        for u, v in pairs:
            weight = (max(1, len(likes[u])) * max(1, len(likes[v]))) ** -options["activity_power"]
            for other in likes[u] & likes[v] - {fixed}:
                row[other] += weight / (options["alpha"] + len(likes[u] & likes[v]))
        row *= n[fixed] * (n[fixed] - 1) / max(1, len(pairs))
        for other in range(1, ITEMS + 1):
            seed, target = (fixed, other) if options["keep"] == "seed" else (other, fixed)
            row[other] /= n[seed] ** options["seed_power"] * n[target] ** options["target_power"]
        best = np.lexsort((np.arange(ITEMS + 1), -row.astype(np.float32)))[: options["neighbours"]]
        found[(fixed, best) if options["keep"] == "seed" else (best, fixed)] = row[best]
    return found


LOGS = st.lists(st.lists(st.integers(1, ITEMS), max_size=6), min_size=1, max_size=12)


@settings(max_examples=30, deadline=None)
@given(
    LOGS,
    st.fixed_dictionaries(
        {
            "alpha": st.sampled_from([0.5, 1.0, 3.0]),
            "activity_power": st.sampled_from([0.0, 0.5]),
            "seed_power": st.sampled_from([0.0, 0.7]),
            "target_power": st.sampled_from([0.0, 0.3]),
            "max_users": st.sampled_from([2, 3, 50]),
            "seed": st.integers(0, 3),
            "keep": st.sampled_from(["seed", "target"]),
        }
    ),
)
def test_all_options_equal_loops_over_pairs_of_users(log: list[list[int]], params: dict[str, object]) -> None:
    assert np.allclose(similarity(counted(log, **params)), reference(log, **params), rtol=1e-4, atol=1e-6)


def test_only_the_nearest_are_kept() -> None:
    draw = np.random.default_rng(0)
    log = [draw.integers(1, ITEMS + 1, size=4).tolist() for _ in range(15)]
    for keep in ("seed", "target"):
        found = similarity(counted(log, keep=keep, neighbours=2))
        assert (found > 0).sum() == (reference(log, keep=keep, neighbours=2) > 0).sum() <= 2 * ITEMS


def test_a_small_circle_of_friends_counts_less() -> None:
    # Items 1 and 2 are liked by two friends who share four items, 1 and 3 by two that share these alone.
    log = [[1, 2, 4, 5], [1, 2, 4, 5], [1, 3, 6], [1, 3, 7]]
    found = similarity(counted(log))
    assert found[1, 2] == pytest.approx(2 / (1 + 4)) and found[1, 3] == pytest.approx(2 / (1 + 2))


def test_the_draw_depends_on_users_and_not_on_their_order() -> None:
    draw = np.random.default_rng(1)
    log = [draw.integers(1, ITEMS + 1, size=4).tolist() for _ in range(12)]
    order = draw.permutation(12).tolist()
    one = counted(log, max_users=3)
    other = counted([log[user] for user in order], order, max_users=3)
    assert all(value.equal(other.state_dict()[name]) for name, value in one.state_dict().items())


def test_a_draw_is_right_on_average() -> None:
    """Over many seeds the estimate comes near to the sum over all pairs."""
    draw = np.random.default_rng(2)
    log = [draw.integers(1, ITEMS + 1, size=5).tolist() for _ in range(16)]
    true = similarity(counted(log, max_users=100))
    drawn = [similarity(counted(log, max_users=6, seed=seed)) for seed in range(150)]
    assert np.allclose(np.mean(drawn, axis=0), true, atol=0.12 * true.max())
    assert np.std(drawn, axis=0).max() > 0.1 * true.max()


@pytest.mark.parametrize(
    ("name", "value"), [("alpha", 0.0), ("max_users", 1), ("seed", -1), ("neighbours", 0)]
)
def test_a_senseless_option_names_itself(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must"):
        Swing.Config(**{name: value})

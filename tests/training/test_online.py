"""Models updated event by event: after the same events they are what fitting makes of all at once."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import padded_ids
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.core.schema import Feature, Schema
from zoo.core.types import Request
from zoo.training import OnlineModel, ZooModel

ITEMS = 9
SCHEMA = Schema(
    (
        Feature("history:watch", "history", "sequence", ITEMS + 1, 5, "watch"),
        Feature("item_id", "item_id", "categorical", ITEMS + 1),
    )
)
MODELS: list[tuple[str, dict[str, object]]] = [
    ("recall/online_item_cf", {"neighbours": 2}),
    ("recall/online_item_cf", {"neighbours": 3, "seed_power": 0.9, "target_power": -0.2}),
    ("recall/online_swing", {"neighbours": 2, "max_users": 3}),
    ("recall/online_swing", {"neighbours": 20, "alpha": 0.5}),
]
EVENTS = st.lists(st.tuples(st.integers(0, 7), st.integers(1, ITEMS)), max_size=40)


def fitted(events: list[tuple[int, int]], name: str, params: dict[str, object]) -> OnlineModel:
    """From histories, as batches of two users bring them."""
    model: OnlineModel = create_model(name, SCHEMA, **params)
    users = sorted({user for user, _ in events})
    for start in range(0, len(users), 2):
        keys = users[start : start + 2]
        rows = [[item for user, item in events if user == key][::-1] for key in keys]
        model.count({"history:watch": padded_ids(rows), "user_id": torch.tensor(keys)})
    model.finish()
    return model


def same(one: ZooModel, other: ZooModel) -> bool:
    expected = other.state_dict()
    return all(value.equal(expected[name]) for name, value in one.state_dict().items())


def asked() -> Request:
    return Request({"history:watch": torch.tensor([[1, 0], [3, 2], [9, 5], [0, 0]])})


@pytest.mark.parametrize(("name", "params"), MODELS, ids=str)
@settings(max_examples=25, deadline=None)
@given(EVENTS, EVENTS, st.data())
def test_events_one_by_one_are_the_same_as_all_at_once(
    name: str,
    params: dict[str, object],
    before: list[tuple[int, int]],
    after: list[tuple[int, int]],
    data: st.DataObject,
) -> None:
    model = fitted(before, name, params)
    for number, (user, item) in enumerate(after):
        model.update(user, item)
        if number % 7 == data.draw(st.integers(0, 6)):
            # What was asked for is up to date, the rest may be stale.
            batch = fitted(before + after[: number + 1], name, params)
            found, expected = model.recall(asked(), 5), batch.recall(asked(), 5)
            assert found.ids.equal(expected.ids) and found.scores.allclose(expected.scores)
    batch = fitted(before + after, name, params)
    assert same(model, batch)


@pytest.mark.parametrize(("name", "params"), MODELS[::2], ids=str)
def test_a_saved_model_is_updated_further(tmp_path: Path, name: str, params: dict[str, object]) -> None:
    draw = np.random.default_rng(0)
    events = [(int(draw.integers(20)), int(draw.integers(1, ITEMS + 1))) for _ in range(90)]
    model = fitted(events[:30], name, params)
    for event in events[30:60]:
        model.update(*event)
    model.save_pretrained(tmp_path)
    loaded = ZooModel.from_pretrained(tmp_path)
    assert isinstance(loaded, OnlineModel) and same(loaded, model)
    copied = copy.deepcopy(loaded)
    for event in events[60:]:
        loaded.update(*event)
        model.update(*event)
    assert same(loaded, model) and same(model, fitted(events, name, params)) and not same(copied, model)
    model.load_state_dict(model.state_dict())
    model.update(99, 5)
    assert same(model, fitted([*events, (99, 5)], name, params))


def test_a_model_that_was_never_fitted_learns_from_events_alone() -> None:
    for name, params in MODELS:
        model: OnlineModel = create_model(name, SCHEMA, **params)
        for event in [(5, 1), (5, 2), (3, 2), (3, 1), (4, 1), (4, 9)]:
            model.update(*event)
        assert same(model, fitted([(5, 1), (5, 2), (3, 2), (3, 1), (4, 1), (4, 9)], name, params))


@pytest.mark.parametrize(
    ("user", "item", "what"), [(1, 0, "item id from 1 to 9"), (1, 10, "item"), (-1, 2, "user key")]
)
def test_a_senseless_event_is_refused(user: int, item: int, what: str) -> None:
    with pytest.raises(UserError, match=what):
        fitted([], *MODELS[0]).update(user, item)


def test_only_seeds_keep_their_neighbours() -> None:
    with pytest.raises(UserError, match="keep must be seed, found target"):
        create_model("recall/online_swing", SCHEMA, keep="target")

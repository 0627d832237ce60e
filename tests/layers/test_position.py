"""The position tower against numpy, its dropout, and columns it cannot read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests import naive
from zoo.core.errors import UserError
from zoo.core.schema import Feature, Schema, Task
from zoo.layers.position import PositionConfig, PositionTower

SCHEMA = Schema(
    (
        Feature("item_id", "item_id", "categorical", vocab=9),
        Feature("device", "context", "categorical", vocab=3),
        Feature("position", "column", "categorical", vocab=6, of="shown"),
        Feature("depth", "column", "numeric", of="shown", mean=2.0, std=3.0),
        Feature("recall:rank", "column", "numeric"),
    ),
    (Task("click"), Task("like", "click")),
)
BATCH = {
    "item_id": torch.tensor([[1, 2, 3], [4, 5, 0]]),
    "device": torch.tensor([1, 2]),
    "position": torch.tensor([[1, 2, 3], [5, 4, 0]]),
    "depth": torch.tensor([[1.0, 2.0, 3.0], [8.0, -1.0, 0.0]]),
}


def tower(**options: object) -> PositionTower:
    made = PositionTower(SCHEMA, PositionConfig(**options), ["click", "like"])
    naive.spread(made)
    return made


def test_the_tower_is_an_mlp_of_position_and_context() -> None:
    layer = tower(context=["device"], dropout=0.5, embed_dim=3).eval()
    x = np.hstack([naive.array(layer.context.tables["device"].weight[2]),
                   naive.array(layer.position.tables["position"].weight[4])])  # fmt: skip
    expected = naive.mlp(layer.mlp, x, last_is_linear=True)
    found = layer(BATCH)
    assert [found[name][1, 1].item() for name in ("click", "like")] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("feature", "unknown"), [("position", 0), ("depth", 2.0)])
def test_a_hidden_position_is_an_unknown_one(feature: str, unknown: float) -> None:
    layer = tower(feature=feature, dropout=0.9999).train()
    nowhere = BATCH | {feature: torch.full_like(BATCH[feature], unknown)}
    assert layer(BATCH)["click"].equal(layer.eval()(nowhere)["click"])
    assert not layer(BATCH)["click"].equal(layer(nowhere)["click"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"feature": "positon"},
            r"no column 'positon' .*did you mean 'position'\?\); the dataset has position, depth",
        ),
        ({"feature": "recall:rank"}, r"no column 'recall:rank' of how items were shown"),
        ({"context": ["item_id"]}, r"'item_id' is of role item_id, expected one of role user or context"),
    ],
)
def test_a_column_that_is_not_there_is_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        PositionTower(SCHEMA, PositionConfig(**options), ["click"])

"""A position tower in a ranker: what it takes on itself in training, and that nothing of it is served."""

from __future__ import annotations

import pytest
import torch
from scipy.special import expit

from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.core.schema import Feature, Schema, Task
from zoo.core.types import Batch
from zoo.training import RankModel

SCHEMA = Schema(
    (
        Feature("item_id", "item_id", "categorical", vocab=3),
        Feature("device", "context", "categorical", vocab=3),
        Feature("position", "column", "categorical", vocab=3, of="shown"),
    ),
    (Task("click"),),
)
QUALITY, BIAS = {1: 0.0, 2: 0.5}, {1: 1.5, 2: -1.5}


def shown() -> Batch:
    """Item 1, the worse one, is mostly on top; labels are the probabilities themselves."""
    rows = [(1, 1)] * 9 + [(1, 2)] + [(2, 1)] + [(2, 2)] * 9
    labels = [expit(QUALITY[item] + BIAS[position]) for item, position in rows]
    item, position = (torch.tensor(column)[None] for column in zip(*rows, strict=True))
    label = torch.tensor(labels, dtype=torch.float32)[None]
    return {"item_id": item, "position": position, "device": torch.tensor([1]), "label:click": label}


def model(position: dict | None, **params: object) -> RankModel:
    torch.manual_seed(0)
    made: RankModel = create_model("rank/lr", SCHEMA, position=position, **params)
    return made


def gap(made: RankModel) -> float:
    """By how much item 2 is better than item 1 after training, to a request that knows no position."""
    optimizer = torch.optim.Adam(made.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        made.loss(shown()).backward()
        optimizer.step()
    batch = {"item_id": torch.tensor([[1, 2]]), "device": torch.tensor([1])}
    logits = made.eval()(batch)["click"][0]
    return (logits[1] - logits[0]).item()


def test_what_the_position_did_is_not_the_items() -> None:
    assert gap(model({"dropout": 0.0})) == pytest.approx(QUALITY[2] - QUALITY[1], abs=0.05)
    assert gap(model(None, without=["position"])) < -1


def test_at_inference_the_position_changes_nothing() -> None:
    made, batch = model({"context": ["device"], "dropout": 0.5}).eval(), shown()
    other = batch | {"position": 3 - batch["position"]}
    nowhere = {name: value for name, value in batch.items() if name != "position"}
    with torch.no_grad():
        logits = made(batch)["click"]
        assert made(other)["click"].equal(logits) and made(nowhere)["click"].equal(logits)
        assert made.probabilities(nowhere)["click"].equal(logits.sigmoid())
        assert not made.loss(other).equal(made.loss(batch))
    assert "position" not in {feature.name for feature in made.used("column")}


def test_a_position_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match=r"no column 'postion' .*did you mean 'position'"):
        model({"feature": "postion"})

"""PPNet in numpy: a network of everything under gates of ids, and where no gradient goes."""

from __future__ import annotations

import numpy as np
import pytest

from tests import naive
from tests.conformance.setting import rank_batch, rank_data
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.rank.ppnet import PPNet

BATCH, SCHEMA = rank_batch(), rank_data()[0]


def fresh(**params: object) -> PPNet:
    model: PPNet = create_model("rank/ppnet", SCHEMA, hidden=[6, 4], gate_hidden=[5], embed_dim=3, **params)
    return model.eval()


def test_ppnet_equals_numpy() -> None:
    model = fresh()
    naive.spread(model)
    x, logits = model.input(BATCH), model(BATCH)
    for row, place in ((0, 0), (1, 2), (len(BATCH["item_id"]) - 1, 5)):
        ids = [BATCH["item_id"][row, place], BATCH["user_id"][row]]
        tables = [model.of_candidate.tables["item_id"], model.of_request.tables["user_id"]]
        own = [naive.array(table.weight[i]) for table, i in zip(tables, ids, strict=True)]
        spot = naive.array(x[row, place])
        trunk = naive.gated(model.network, model.gates, spot, np.concatenate([spot, *own]))
        for task, head in model.heads.items():
            expected = float(naive.linear(head, trunk)[0])
            assert logits[task][row, place].item() == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_gates_send_no_gradient_to_the_embeddings_of_the_network() -> None:
    model = fresh()
    found = []
    model.gates.register_forward_hook(lambda _, inputs, out: found.append((inputs[0], out)))
    model(BATCH)
    sum(gate.sum() for gate in found[0][1]).backward()
    assert all(p.grad is None for p in model.input.parameters())
    assert all(p.grad is not None and p.grad.any() for p in model.of_candidate.parameters())


def test_a_prior_is_what_is_named_or_the_ids_that_are_left() -> None:
    named = fresh(prior=["age", "genres", "item_id"])
    assert named.of_request.ids == ["age"] and named.of_candidate.ids == ["genres", "item_id"]
    left = fresh(without=["item_id"])
    assert left.of_candidate is None and left.of_request.ids == ["user_id"]
    with pytest.raises(UserError, match="neither the user's nor the item's id is there"):
        fresh(without=["item_id", "user_id"])
    with pytest.raises(UserError, match=r"no feature 'agee' \(did you mean 'age'\?\)"):
        fresh(prior=["agee"])
    with pytest.raises(UserError, match="'history:watch' is a history"):
        fresh(prior=["history:watch"])

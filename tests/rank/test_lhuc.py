"""LHUC in numpy: a network of the candidate under gates of the request."""

from __future__ import annotations

import pytest

from tests import naive
from tests.conformance.setting import rank_batch, rank_data
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.core.schema import Schema
from zoo.rank.lhuc import LHUC

BATCH, SCHEMA = rank_batch(), rank_data()[0]


def test_lhuc_equals_numpy() -> None:
    model: LHUC = create_model("rank/lhuc", SCHEMA, hidden=[6, 4], gate_hidden=[5], embed_dim=3).eval()
    naive.spread(model)
    request, candidate = model.input.request(BATCH), model.input.candidate(BATCH)
    for row, place in ((0, 0), (1, 2), (len(BATCH["item_id"]) - 1, 5)):
        x, user = naive.array(candidate[row, place]), naive.array(request[row])
        trunk = naive.gated(model.network, model.gates, x, user)
        for task, head in model.heads.items():
            expected = float(naive.linear(head, trunk)[0])
            assert model(BATCH)[task][row, place].item() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_gates_run_once_a_request() -> None:
    model: LHUC = create_model("rank/lhuc", SCHEMA).eval()
    shapes = []
    model.gates.register_forward_hook(lambda _, inputs, __: shapes.append(inputs[0].shape))
    model(BATCH)
    assert shapes == [(len(BATCH["item_id"]), model.input.request_dim)]


def test_gates_need_something_to_read_and_something_to_gate() -> None:
    items = Schema(SCHEMA.having("item_id", "item"), SCHEMA.tasks)
    with pytest.raises(UserError, match="gates read features of the user"):
        create_model("rank/lhuc", items)
    with pytest.raises(UserError, match=r"hidden.*needs at least one width"):
        create_model("rank/lhuc", SCHEMA, hidden=[])

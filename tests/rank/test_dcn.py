"""DCN in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from tests import naive
from tests.conformance.setting import rank_batch, rank_data
from zoo.core.registry import create_model
from zoo.rank.dcn import DCN

BATCH = rank_batch()


def test_dcn_equals_numpy() -> None:
    options = {"num_layers": 3, "hidden": [6, 4], "embed_dim": 3, "history": {"kind": "lastn_mean"}}
    model: DCN = create_model("rank/dcn", rank_data()[0], **options).eval()
    naive.spread(model)
    request, candidate = model.input.request(BATCH), model.input.candidate(BATCH)
    past = model.input.histories.request(BATCH)
    assert request[:, -3:].equal(past) and past.any()
    logits = model(BATCH)
    for row, place in ((0, 0), (1, 2), (len(BATCH["item_id"]) - 1, 5)):
        x0 = np.concatenate([naive.array(request[row]), naive.array(candidate[row, place])])
        x = x0
        for w, b in zip(naive.array(model.crosses.weights), naive.array(model.crosses.biases), strict=True):
            x = x0 * (x @ w) + b + x
        trunk = np.concatenate([x, naive.mlp(model.mlp, x0)])
        for task, head in model.heads.items():
            expected = float(naive.linear(head, trunk)[0])
            assert logits[task][row, place].item() == pytest.approx(expected, rel=1e-4, abs=1e-3)

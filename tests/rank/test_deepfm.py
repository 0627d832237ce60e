"""DeepFM in numpy, from what each value stands for."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tests import naive
from tests.conformance.setting import rank_batch, rank_data
from zoo.core.registry import create_model
from zoo.rank.deepfm import DeepFM

BATCH = rank_batch()


@pytest.mark.parametrize("past", ["none", "lastn_mean"])
def test_deepfm_is_a_machine_and_an_mlp_on_the_same_embeddings(past: str) -> None:
    model: DeepFM = create_model("rank/deepfm", rank_data()[0], embed_dim=4, history={"kind": past}).eval()
    naive.spread(model)
    logits = model(BATCH)
    for row, place in ((0, 0), (1, 2), (len(BATCH["item_id"]) - 1, 5)):
        first = naive.fields(model.linear.of_request, BATCH, (row,))
        first += naive.fields(model.linear.of_candidate, BATCH, (row, place))
        fields = naive.fields(model.fields.of_request, BATCH, (row,))
        if past == "lastn_mean":
            mean = naive.array(model.fields.histories.request(BATCH)[row])
            fields.append(naive.linear(model.fields.past, mean))
        fields += naive.fields(model.fields.of_candidate, BATCH, (row, place))
        products = sum((v * w for v, w in combinations(fields, 2)), np.zeros(4))
        deep = naive.mlp(model.mlp, np.concatenate(fields))
        for number, task in enumerate(("watch", "like")):
            expected = np.sum(first, axis=0)[number]
            expected += naive.linear(model.pairs[task], products)[0]
            expected += naive.linear(model.heads[task], deep)[0]
            assert logits[task][row, place].item() == pytest.approx(float(expected), rel=1e-4, abs=1e-3)


def test_fresh_pairs_are_those_of_a_machine() -> None:
    model: DeepFM = create_model("rank/deepfm", rank_data()[0])
    assert all(head.weight.eq(1).all() for head in model.pairs.values())

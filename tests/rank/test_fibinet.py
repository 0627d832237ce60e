"""FiBiNET in numpy: fields, weighed fields, pairs of both, an MLP."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tests import naive
from tests.conformance.setting import rank_batch, rank_data
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.core.schema import Feature, Schema, Task
from zoo.rank.fibinet import FiBiNET

BATCH = rank_batch()


@pytest.mark.parametrize("senet", [True, False])
def test_fibinet_equals_numpy(senet: bool) -> None:
    options = {"embed_dim": 3, "senet": senet, "bilinear": "each"}
    model: FiBiNET = create_model("rank/fibinet", rank_data()[0], **options).eval()
    naive.spread(model)
    logits = model(BATCH)
    for row, place in ((0, 0), (1, 2), (len(BATCH["item_id"]) - 1, 5)):
        first = naive.fields(model.linear.of_request, BATCH, (row,))
        first += naive.fields(model.linear.of_candidate, BATCH, (row, place))
        x = naive.fields(model.fields.of_request, BATCH, (row,))
        x = np.array(x + naive.fields(model.fields.of_candidate, BATCH, (row, place)))
        parts = [x]
        if senet:
            between = np.maximum(naive.linear(model.senet.squeeze, x.mean(1)), 0)
            parts.append(x * np.maximum(naive.linear(model.senet.excite, between), 0)[:, None])
        w = naive.array(model.bilinear.weight)
        pairs = [(w[i] @ part[i]) * part[j] for part in parts for i, j in combinations(range(len(x)), 2)]
        deep = naive.mlp(model.mlp, np.concatenate(pairs))
        for number, task in enumerate(("watch", "like")):
            expected = sum(first)[number] + naive.linear(model.heads[task], deep)[0]
            assert logits[task][row, place].item() == pytest.approx(float(expected), rel=1e-4, abs=1e-3)


def test_one_field_interacts_with_nothing() -> None:
    alone = Schema((Feature("item_id", "item_id", "categorical", vocab=4),), (Task("click"),))
    with pytest.raises(UserError, match="one feature is left, and it takes two to interact"):
        create_model("rank/fibinet", alone)

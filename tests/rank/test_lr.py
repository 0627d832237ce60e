"""Logistic regression as a sum by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.conformance.setting import rank_batch, rank_data
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.layers.embedding import CLIP
from zoo.rank.lr import Linear, LogisticRegression

BATCH = rank_batch()
ROWS, PLACES = BATCH["item_id"].shape


def weights(module: torch.nn.Module) -> tuple[np.ndarray, np.ndarray]:
    return module.weight.detach().numpy(), module.bias.detach().numpy()


def by_hand(layer: Linear, row: int, place: int | None) -> float:
    """The bias, and for each feature the weight of its value (a list: the mean of the values there are)."""
    factors, bias = weights(layer.sum)
    total = float(bias[0])
    where = (row,) if place is None else (row, place)
    tables = dict(zip(layer.weights.ids, layer.weights.tables.values(), strict=True))
    for column, name in enumerate([*layer.weights.ids, *layer.weights.numeric]):
        value = BATCH[name][where]
        if name in tables:
            ids = [int(i) for i in value.flatten() if i]
            total += factors[0, column] * sum(tables[name].weight[i].item() for i in ids) / max(len(ids), 1)
        else:
            feature = rank_data()[0][name]
            scaled = (float(value) - feature.mean) / feature.std
            total += factors[0, column] * max(-CLIP, min(CLIP, scaled))
    return total


def test_logistic_regression_is_a_sum_over_features() -> None:
    torch.manual_seed(0)
    model: LogisticRegression = create_model("rank/lr", rank_data()[0])
    for table in model.modules():
        if isinstance(table, torch.nn.Embedding):
            torch.nn.init.normal_(table.weight[1:].detach())
    logits = model(BATCH)
    for task in ("watch", "like"):
        used = {
            name
            for part in (model.request, model.candidate)
            for name in (*part[task].weights.ids, *part[task].weights.numeric)
        }
        schema = rank_data()[0]
        assert used == {f.name for f in schema if f.role not in ("user_id", "history")}
        for row in (0, 3, ROWS - 1):
            for place in range(PLACES):
                expected = by_hand(model.request[task], row, None)
                expected += by_hand(model.candidate[task], row, place)
                assert logits[task][row, place].item() == pytest.approx(expected, abs=1e-4)


def test_a_history_is_weighed_as_numbers_are() -> None:
    options = {"history": {"kind": "lastn_mean", "behaviours": ["like"]}, "embed_dim": 3}
    model: LogisticRegression = create_model("rank/lr", rank_data()[0], **options)
    torch.nn.init.normal_(model.histories.items.table.weight[1:].detach())
    with_it, past = model(BATCH)["like"], model.histories.request(BATCH)
    model.past, plain = None, model.past
    expected = with_it - model(BATCH)["like"]
    for row in (0, 3, ROWS - 1):
        ids = [int(i) for i in BATCH["history:like"][row] if i]
        mean = sum(model.histories.items.table.weight[i].detach().numpy() for i in ids) / max(len(ids), 1)
        assert past[row].detach().numpy() == pytest.approx(mean, abs=1e-5)
        w, b = weights(plain["like"])
        assert expected[row, 1].item() == pytest.approx(
            float((w @ past[row].detach().numpy() + b)[0]), abs=1e-4
        )


def test_experts_are_of_networks() -> None:
    with pytest.raises(UserError, match=r"head.*kind mmoe is of networks, and this is none; expected single"):
        create_model("rank/lr", rank_data()[0], head={"kind": "mmoe"})

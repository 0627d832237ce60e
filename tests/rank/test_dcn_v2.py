"""DCN V2 in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit

from tests.conformance.setting import prepared, rank_batch, rank_data
from zoo.core.registry import create_model
from zoo.layers.embedding import FeatureEmbedding
from zoo.rank.dcn_v2 import DCNv2

BATCH = rank_batch()
ROWS, PLACES = BATCH["item_id"].shape


def weights(module: torch.nn.Module) -> tuple[np.ndarray, np.ndarray]:
    return module.weight.detach().numpy(), module.bias.detach().numpy()


@pytest.mark.parametrize("structure", ["parallel", "stacked"])
def test_dcn_v2_equals_numpy(structure: str) -> None:
    torch.manual_seed(0)
    params = {"structure": structure, "num_layers": 3, "hidden": [16, 8], "behaviour": "watch"}
    model: DCNv2 = create_model("rank/dcn_v2", rank_data()[0], **params)
    prepared(model)
    logits = {name: value.detach() for name, value in model(BATCH).items()}
    request, candidate = model.request(BATCH).detach().numpy(), model.candidate(BATCH).detach().numpy()
    for row, place in ((0, 0), (1, 2), (ROWS - 1, PLACES - 1)):
        x0 = np.concatenate([request[row], candidate[row, place]])
        crossed = x0
        for linear in model.crosses.layers:
            w, b = weights(linear)
            crossed = x0 * (w @ crossed + b) + crossed
        deep = crossed if structure == "stacked" else x0
        for linear in (module for module in model.mlp if isinstance(module, torch.nn.Linear)):
            w, b = weights(linear)
            deep = np.maximum(w @ deep + b, 0)
        trunk = deep if structure == "stacked" else np.concatenate([crossed, deep])
        for task, head in model.heads.items():
            w, b = weights(head)
            assert logits[task][row, place].item() == pytest.approx(float((w @ trunk + b)[0]), abs=1e-4)


def test_probabilities_are_sigmoids() -> None:
    model: DCNv2 = prepared(create_model("rank/dcn_v2", rank_data()[0]))
    found = model.probabilities(BATCH)["like"]
    assert np.allclose(found.numpy(), expit(model(BATCH)["like"].detach().numpy()), atol=1e-6)


def test_a_feature_left_out_is_not_read() -> None:
    model: DCNv2 = create_model("rank/dcn_v2", rank_data()[0], without=["genres", "age", "item_cf:score"])
    fewer = {name: value for name, value in BATCH.items() if name not in {"genres", "age", "item_cf:score"}}
    assert model(fewer)["watch"].shape == (ROWS, PLACES)
    read = {
        name
        for layer in model.modules()
        if isinstance(layer, FeatureEmbedding)
        for name in (*layer.ids, *layer.numeric)
    }
    assert not read & {"genres", "age", "item_cf:score"} and "year" in read

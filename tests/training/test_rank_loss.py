"""The loss of a ranker against sklearn and numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, log_expit, log_softmax
from sklearn.metrics import log_loss

from tests.conformance.setting import Case, rank_data
from zoo.core.schema import Schema, Task
from zoo.training import RankModel
from zoo.training.rank import joint_log_probability


@pytest.mark.parametrize("listwise", [0.0, 0.7])
@pytest.mark.parametrize("weights", [{}, {"like": 3.0, "watch": 0.5}])
def test_the_loss_is_pointwise_where_defined_and_listwise_over_the_request(
    listwise: float, weights: dict[str, float]
) -> None:
    model = Case("rank/lr", {"listwise": listwise, "task_weights": weights}).fresh()
    view = rank_data()[1]
    batch = view.batch(torch.arange(len(view)))
    logits = {name: value.detach().double().numpy() for name, value in model(batch).items()}
    mask = batch["item_id"].numpy() > 0
    watched, liked = (batch[f"label:{name}"].numpy() > 0 for name in ("watch", "like"))
    watch = log_loss(watched[mask], expit(logits["watch"][mask]))
    like = log_loss(liked[watched & mask], expit(logits["like"][watched & mask]))
    joint = {
        "watch": log_expit(logits["watch"]),
        "like": log_expit(logits["watch"]) + log_expit(logits["like"]),
    }
    lists = {}
    for name, labels in (("watch", watched), ("like", liked)):
        rows = [row for row in range(len(mask)) if labels[row, mask[row]].any()]
        lists[name] = np.mean(
            [-log_softmax(joint[name][r][mask[r]])[labels[r][mask[r]]].mean() for r in rows]
        )
    expected = weights.get("watch", 1) * (watch + listwise * lists["watch"])
    expected += weights.get("like", 1) * (like + listwise * lists["like"])
    assert model.loss(batch).item() == pytest.approx(expected, rel=1e-4)


def test_joint_probabilities_multiply_along_the_chain() -> None:
    schema = Schema((), (Task("click"), Task("like", "click"), Task("share", "like"), Task("finish")))
    logits = {name: torch.randn(2, 3, dtype=torch.float64) for name in ("click", "like", "share", "finish")}
    found = joint_log_probability(logits, schema)
    p = {name: expit(value.numpy()) for name, value in logits.items()}
    assert np.allclose(found["share"].exp().numpy(), p["click"] * p["like"] * p["share"])
    assert np.allclose(found["like"].exp().numpy(), p["click"] * p["like"])
    assert np.allclose(found["finish"].exp().numpy(), p["finish"])
    extreme = joint_log_probability({name: torch.full((1, 1), -200.0) for name in logits}, schema)
    assert extreme["share"].item() == -600


def test_a_batch_without_any_positive_has_a_loss() -> None:
    model = Case("rank/lr", {"listwise": 1.0}).fresh()
    batch = rank_data()[1].batch(torch.arange(4))
    loss = model.loss({k: v * 0 if k.startswith("label:") else v for k, v in batch.items()})
    loss.backward()
    assert isinstance(model, RankModel) and loss.isfinite()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in model.parameters())

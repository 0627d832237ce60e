"""What is a negative of whom, against a loop over the rows of a batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from tests import tiny
from zoo.core.registry import create_model
from zoo.core.types import Batch
from zoo.data.training import training_view
from zoo.recall.two_tower import TwoTower

TEMPERATURE = 0.2


def setting(**params: Any) -> tuple[TwoTower, Batch]:
    """A model with frequencies from two batches, and a third batch for it."""
    torch.manual_seed(0)
    snapshot = tiny.snapshot()
    model: TwoTower = create_model(
        "recall/two_tower", snapshot.schema, temperature=TEMPERATURE, n_negatives=20, dropout=0.0, **params
    )
    view = training_view(snapshot, model.rows())
    rows = min(len(view), 12)
    for _ in range(2):
        model.train().loss(view.batch(torch.arange(rows)))
    return model.eval(), view.batch(torch.arange(rows))


def unit(x: torch.Tensor) -> np.ndarray:
    vectors = x.detach().double().numpy()
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def expected(model: TwoTower, batch: Batch) -> float:
    """The listwise loss of one vector per user, one positive after another."""
    config, catalogue = model.config, tiny.snapshot().catalogue
    item, user = unit(model.encode_item(catalogue)), unit(model.encode_user(batch))
    p = model.log_q.log_probability(torch.arange(len(item))).double().exp().numpy()
    ids = batch["item_id"] if batch["item_id"].dim() == 2 else batch["item_id"][:, None]
    drawn = batch["negative:item_id"].tolist() if "negative:item_id" in batch else []
    own = [i for i in ids.flatten().tolist() if i]
    columns = drawn
    if config.negatives in ("in_batch", "mixed"):
        columns = (own if config.rows == "events" else sorted(set(own))) + drawn
    clicks = torch.bincount(tiny.snapshot().events.item[tiny.snapshot().events.known(tiny.snapshot().stop)])
    share = (clicks.double() ** 0.75 / (clicks.double() ** 0.75).sum()).numpy()
    q = {
        "in_batch": p,
        "mixed": p + config.n_negatives / tiny.ITEMS,
        "popularity": share * config.n_negatives,
    }.get(config.negatives)
    losses = []
    for row, positives in enumerate(ids.tolist()):
        left_out = set(positives)
        if config.mask_history:
            left_out |= set(batch["history:watch"][row].tolist())
        for positive in filter(None, positives):
            logits = []
            for j in [positive, *(j for j in columns if j not in left_out)]:
                correction = math.log(q[j]) if q is not None and config.correct else 0.0
                logits.append(user[row] @ item[j] / TEMPERATURE - correction)
            losses.append(logsumexp(logits) - logits[0])
    return float(np.mean(losses))


@pytest.mark.parametrize("rows", ["events", "users", "sets"])
@pytest.mark.parametrize("negatives", ["in_batch", "uniform", "popularity", "mixed", "all"])
@pytest.mark.parametrize("more", [{}, {"correct": False}, {"mask_history": True}])
def test_the_loss_is_that_of_a_loop(rows: str, negatives: str, more: dict[str, Any]) -> None:
    model, batch = setting(rows=rows, negatives=negatives, **more)
    assert model.loss(batch).item() == pytest.approx(expected(model, batch), rel=1e-4)


def test_the_general_way_is_the_plain_one_where_both_apply() -> None:
    model, batch = setting()
    plain = model.loss(batch)
    general = model.contrasting.loss(batch, model.encode_user(batch), model.encode_item, model.log_q)
    torch.testing.assert_close(general, plain)


def test_hard_negatives_are_of_their_row_alone() -> None:
    model, batch = setting(negatives="uniform")
    easy = model.loss(batch).item()
    hard = torch.zeros(len(batch["item_id"]), 3, dtype=torch.int64)
    static = [feature.name for feature in model.schema.having("item_id", "item")]

    def loss() -> float:
        extra = {f"hard:{name}": tiny.snapshot().catalogue[name][hard] for name in static}
        return model.loss(batch | extra).item()

    assert loss() == pytest.approx(easy)
    hard[2, 1] = batch["item_id"][2]  # its own positive is none
    assert loss() == pytest.approx(easy)
    other = int(batch["item_id"][2]) % tiny.ITEMS + 1
    hard[2, 1] = other
    item, user = unit(model.encode_item(tiny.snapshot().catalogue)), unit(model.encode_user(batch))
    rest = [j for j in batch["negative:item_id"].tolist() if j != batch["item_id"][2]]
    own = user[2] @ item[int(batch["item_id"][2])] / TEMPERATURE
    before = logsumexp([own, *(user[2] @ item[j] / TEMPERATURE for j in rest)])
    after = logsumexp([before, user[2] @ item[other] / TEMPERATURE])
    assert loss() - easy == pytest.approx((after - before) / len(user), rel=1e-3)


def test_positives_weigh_as_the_batch_says() -> None:
    model, batch = setting(negatives="uniform", positive_power=0.5)
    each = [
        model.loss({k: x if k.startswith("negative:") else x[i : i + 1] for k, x in batch.items()}).item()
        for i in range(len(batch["item_id"]))
    ]
    assert model.loss(batch).item() == pytest.approx(np.average(each, weights=batch["weight"]), rel=1e-5)
    plain, rows = setting(positive_power=0.5)
    assert plain.loss(rows).item() != pytest.approx(plain.loss(rows | {"weight": torch.ones(12)}).item())


def test_the_more_a_user_did_the_less_each_positive_weighs() -> None:
    model, batch = setting(negatives="uniform", rows="sets", activity_power=0.5)
    alone = setting(negatives="uniform", rows="sets")[0]
    alone.load_weights(model.state_dict())
    counts = (batch["item_id"] > 0).sum(1)
    each = [
        alone.loss({k: x if k.startswith("negative:") else x[i : i + 1] for k, x in batch.items()}).item()
        for i in range(len(counts))
    ]
    # The mean over a user's positives counts as often as there are, and each to the power.
    expected = np.average(each, weights=(counts * counts**-0.5).numpy())
    assert model.loss(batch).item() == pytest.approx(expected, rel=1e-5)


def test_a_task_learns_from_its_own_positives() -> None:
    model, batch = setting(tasks={"watch": 1.0, "like": 0.5}, negatives="uniform")
    liked = (batch["label:like"] > 0).nonzero().squeeze(1)
    user, item = (
        model.encode_user(batch).chunk(2, 1),
        model.encode_item(tiny.snapshot().catalogue).chunk(2, 1),
    )
    means = []
    for part, rows in enumerate((range(len(batch["item_id"])), liked.tolist())):
        u, v, losses = unit(user[part]), unit(item[part]), []
        for row in rows:
            own = int(batch["item_id"][row])
            others = [j for j in batch["negative:item_id"].tolist() if j != own]
            logits = [u[row] @ v[j] / TEMPERATURE for j in [own, *others]]
            losses.append(logsumexp(logits) - logits[0])
        means.append(np.mean(losses))
    assert model.loss(batch).item() == pytest.approx(np.mean(means), rel=1e-4)

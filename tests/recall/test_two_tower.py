"""The two towers and their loss, against numpy."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from tests import tiny
from tests.conformance.setting import fit, prepared, request
from tests.world import DAY, ROLES, START, world
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.data.encode import Encoder
from zoo.data.log import Log
from zoo.data.snapshot import Snapshot
from zoo.data.split import Events
from zoo.data.store import Store
from zoo.data.training import training_view
from zoo.data.views import EventView
from zoo.recall.two_tower import TwoTower

VIEW = EventView(tiny.snapshot(), 50)


def fresh(**params: object) -> TwoTower:
    torch.manual_seed(0)
    model: TwoTower = create_model("recall/two_tower", tiny.snapshot().schema, **params)
    return model


def test_the_loss_is_that_of_a_loop() -> None:
    model = fresh(temperature=0.2).eval()
    batches = [VIEW.batch(torch.arange(start, start + 16)) for start in (0, 16, 32)]
    for batch in batches:
        model.log_q.update(batch["item_id"])
    batch = batches[1]
    user, item = (x.detach().double().numpy() for x in (model.encode_user(batch), model.encode_item(batch)))
    log_q = model.log_q.log_probability(batch["item_id"]).double().numpy()
    losses = []
    for i, own in enumerate(batch["item_id"].tolist()):
        logits = []
        for j, other in enumerate(batch["item_id"].tolist()):
            cosine = user[i] @ item[j] / np.linalg.norm(user[i]) / np.linalg.norm(item[j])
            # The user's own item in another row is no negative.
            logits.append(-np.inf if other == own and i != j else cosine / 0.2 - log_q[j])
        losses.append(logsumexp(logits) - logits[i])
    assert model.loss(batch).item() == pytest.approx(np.mean(losses), rel=1e-4)


def test_only_training_moves_the_estimate_of_frequencies() -> None:
    model, batch = fresh(), VIEW.batch(torch.arange(8))
    model.eval().loss(batch)
    assert model.log_q.step == 0
    model.train().loss(batch)
    assert model.log_q.step == 1


def test_an_untrained_tower_without_mlp_is_the_similarity_of_items() -> None:
    model = fresh(half_life=2.0, behaviours=["like"])
    for tower in (model.user_tower, model.item_tower):
        for parameter in tower.parameters():
            torch.nn.init.zeros_(parameter)
    prepared(model)
    history = request().features["history:like"]
    weight = (history > 0) * 0.5 ** (torch.arange(history.shape[1]) / 2)
    mean = torch.einsum("bl,bld->bd", weight, model.table.weight[history]).detach().numpy()
    vectors = model.table.weight.detach().numpy()
    ids = torch.arange(1, tiny.ITEMS + 1).expand(len(request()), -1)
    norms = np.linalg.norm(mean, axis=1, keepdims=True) * np.linalg.norm(vectors[1:], axis=1)
    expected = mean @ vectors[1:].T / np.maximum(norms, 1e-9)
    assert np.allclose(model.score(request(), ids).numpy(), expected, atol=1e-5)


def test_items_are_encoded_in_chunks_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    model = prepared(fresh())
    monkeypatch.setattr("zoo.training.retrieval.ENCODE_CHUNK", 7)
    chunked = prepared(copy.deepcopy(model))
    assert torch.allclose(chunked.vectors, model.vectors, atol=1e-6)
    assert torch.allclose(model.vectors.norm(dim=1), torch.ones(tiny.ITEMS + 1), atol=1e-5)


def test_items_need_no_features() -> None:
    w = world(2)
    roles, cut = replace(ROLES, item={}, user={}), START + 30 * DAY
    log = Log(w.log.events, w.log.users.select(["user_id"]), w.log.items.select(["item_id"]))
    events = Events.of(log, roles)
    snapshot = Snapshot.at(log, events, Encoder.fit(log, roles, torch.arange(6)), cut, 5)
    model: TwoTower = create_model("recall/two_tower", snapshot.schema)
    fit(model, EventView(snapshot, 5), batch_size=16)
    model.eval().prepare(snapshot.catalogue)
    assert model.vectors.shape == (10, 32)


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", 0.0), ("dropout", 1.0), ("half_life", -1.0), ("n_negatives", 0), ("sigma", 0.0)],
)
def test_a_senseless_option_names_itself(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        TwoTower.Config(**{name: value})


TRAININGS = ["listwise", "pointwise", "pairwise_hinge", "pairwise_logistic", "contrastive"]


@pytest.mark.parametrize("negatives", ["in_batch", "uniform", "popularity", "mixed", "all"])
@pytest.mark.parametrize("training", TRAININGS)
def test_every_training_learns_with_every_kind_of_negatives(
    training: str, negatives: str, tmp_path: Path
) -> None:
    model = fresh(training=training, negatives=negatives, n_negatives=30, margin=0.2, dropout=0.0)
    view = training_view(tiny.snapshot(), model.rows())
    fit(model, view, max_epochs=6, batch_size=64, lr=1e-2)
    prepared(model)
    # Items 1 to 60 are i0, i1, i10, … in the order of their names; a crowd keeps to i0 to i29 or i30 to i59.
    store = Store.of(tiny.snapshot())
    half = torch.tensor([0, *(int(item[1:]) // (tiny.ITEMS // 2) for item in store.encoder.items)])
    crowd = torch.tensor([int(user[1:]) % 2 for user in store.encoder.users])
    found = model.recall(store.request([*store.encoder.users]), 10).ids
    assert (half[found] == crowd[:, None]).float().mean() > 0.9
    model.save_pretrained(tmp_path)
    loaded = prepared(TwoTower.from_pretrained(tmp_path))
    assert all(
        a.equal(b) for a, b in zip(model.search(request(), 9), loaded.search(request(), 9), strict=True)
    )


def test_the_score_of_tasks_is_the_weighted_sum_of_their_cosines() -> None:
    weights = {"watch": 1.0, "like": 0.5}
    model = prepared(fresh(tasks=weights))
    ids = torch.arange(1, tiny.ITEMS + 1).expand(len(request()), -1)
    user = model.encode_user(request().features).detach().unflatten(1, (2, -1))
    item = model.encode_item(tiny.snapshot().catalogue).detach().unflatten(1, (2, -1))
    cosines = [torch.cosine_similarity(user[:, None, t], item[None, 1:, t], dim=2) for t in range(2)]
    expected = sum(w * c for w, c in zip(weights.values(), cosines, strict=True)) / math.sqrt(2 * (1 + 0.25))
    torch.testing.assert_close(model.score(request(), ids), expected)


def test_exposures_are_refused_as_negatives_and_it_says_why() -> None:
    for name in ("exposed", "exposed_not_clicked", "shown"):
        with pytest.raises(
            UserError, match="not be what was exposed and not clicked: it was recalled because"
        ):
            fresh(negatives=name)
    with pytest.raises(UserError, match=r"found 'unifrom' .did you mean 'uniform'"):
        fresh(negatives="unifrom")


def test_a_task_that_is_none_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"tasks: unknown task 'lik'.*'like'"):
        fresh(tasks={"lik": 1.0})


def test_a_spectral_start_is_that_of_who_chose_what_and_is_made_once() -> None:
    model = fresh(init="spectral", hidden=[], embed_dim=8)
    view = training_view(tiny.snapshot(), model.rows())
    model.begin(*view.pairs)
    # Two crowds that share no item are the first two singular vectors.
    plane = model.table.weight.detach()[1:, :2]
    own = torch.tensor(
        [int(item[1:]) // (tiny.ITEMS // 2) for item in Store.of(tiny.snapshot()).encoder.items]
    )
    alike = torch.nn.functional.normalize(plane, dim=1) @ torch.nn.functional.normalize(plane, dim=1).T
    assert (alike[own[:, None] == own] > 0.99).all() and (alike[own[:, None] != own].abs() < 0.1).all()
    before = model.table.weight.detach().clone()
    user, item = view.pairs
    model.begin(user, item.flip(0))
    assert before.equal(model.table.weight)
    loaded = fresh(init="spectral", hidden=[], embed_dim=8)
    loaded.load_weights(model.state_dict())
    loaded.begin(user, item.flip(0))
    assert before.equal(loaded.table.weight)

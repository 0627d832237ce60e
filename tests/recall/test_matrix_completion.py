"""Matrix completion against numpy: its loss, its inner products, and the fold-in of a new user."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from tests import tiny
from tests.conformance.setting import prepared, request
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.data.store import Store
from zoo.data.training import training_view
from zoo.recall.matrix_completion import MatrixCompletion


def fresh(**params: object) -> MatrixCompletion:
    torch.manual_seed(0)
    model: MatrixCompletion = create_model("recall/matrix_completion", tiny.snapshot().schema, **params)
    return model


def test_the_loss_is_that_of_a_loop() -> None:
    model = fresh(n_zeros=7, zero_weight=2.0)
    batch = training_view(tiny.snapshot(), model.rows()).batch(torch.arange(20))
    users, items = (table.weight.detach().double().numpy() for table in (model.users, model.items))
    errors, zeros = [], []
    for row, item in enumerate(batch["item_id"].tolist()):
        user = users[int(batch["user_id"][row])]
        # Of the tiny log every event is a watch, and some are likes too.
        errors.append((1 + float(batch["label:like"][row]) - user @ items[item]) ** 2)
        zeros += [(user @ items[j]) ** 2 for j in batch["negative:item_id"].tolist() if j != item]
    assert model.loss(batch).item() == pytest.approx(np.mean(errors) + 2 * np.mean(zeros), rel=1e-4)


def test_with_exposures_nothing_is_drawn_and_what_was_only_shown_is_zero() -> None:
    model = fresh(exposure="watch", behaviours=["like"])
    batch = training_view(tiny.snapshot(), model.rows()).batch(torch.arange(20))
    assert not any(name.startswith("negative:") for name in batch)
    user, item = model.users(batch["user_id"]), model.items(batch["item_id"])
    expected = torch.nn.functional.mse_loss((user * item).sum(1), batch["label:like"])
    torch.testing.assert_close(model.loss(batch), expected)
    assert {0.0, 1.0} == set(batch["label:like"].tolist())


def test_search_is_by_inner_product() -> None:
    model = prepared(fresh())
    ids = torch.arange(1, tiny.ITEMS + 1).expand(len(request()), -1)
    user = model.encode_user(request().features).detach()[:, :-1]
    product = user @ model.items.weight.detach()[1:].T
    torch.testing.assert_close(model.columns(request(), ids)["interest"], product)
    assert model.search(request(), 10)[0].equal(1 + product.topk(10).indices)
    known = request().features["user_id"] > 0
    assert user[known].equal(model.users(request().features["user_id"][known]).detach())


def test_a_new_user_is_the_ridge_solution_and_nobody_the_mean() -> None:
    model = prepared(fresh(zero_weight=0.5, l2=0.3))
    items = model.items.weight.detach().double().numpy()
    history = ["i3", "i41", "i7"]
    new = Store.of(tiny.snapshot()).request([None, None], [{"watch": history, "like": ["i41"]}, []])
    found = model.encode_user(new.features).detach().double().numpy()[:, :-1]
    seen = [i for i in new.features["history:watch"][0].tolist() if i]
    liked = [i for i in new.features["history:like"][0].tolist() if i]
    y = [1.0 + (i in liked) for i in seen] + [0.0] * tiny.ITEMS
    weight = [1.0] * len(seen) + [0.5 * len(seen) / tiny.ITEMS] * tiny.ITEMS
    solved = Ridge(alpha=0.3, fit_intercept=False).fit(np.vstack([items[seen], items[1:]]), y, weight)
    np.testing.assert_allclose(found[0], solved.coef_, atol=1e-5)
    np.testing.assert_allclose(found[1], model.users.weight.detach().numpy()[1:].mean(0), atol=1e-6)


def test_a_behaviour_that_is_none_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"behaviours: unknown task 'lke'.*'like'"):
        fresh(behaviours=["lke"])
    with pytest.raises(UserError, match=r"no history of behaviour 'wtch'.*'watch'"):
        fresh(exposure="wtch")
    for name in ("n_zeros", "l2"):
        with pytest.raises(UserError, match=f"{name}.*must be"):
            fresh(**{name: 0})

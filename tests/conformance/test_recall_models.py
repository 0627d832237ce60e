"""What holds for every recall model."""

from __future__ import annotations

import copy

import pytest
import torch

from tests import tiny
from tests.conformance.setting import SLOW_LEARNERS, Case, fit, fitted, longer, models, prepared, request
from zoo.core.types import Request
from zoo.data.store import Store
from zoo.index import ADAPTERS, create_index
from zoo.training import EmbeddingRetrieval, RetrievalModel, ZooModel

EVERYTHING = torch.arange(1, tiny.ITEMS + 1)
NOT_PERSONAL = {"recall/popular"}


def retrieval(model: ZooModel) -> RetrievalModel:
    assert isinstance(model, RetrievalModel)
    return model


def close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


@models("recall")
def test_more_padding_changes_nothing(case: Case) -> None:
    model, wider = retrieval(fitted(case)), Request(longer(request().features))
    ids = EVERYTHING.expand(len(wider), -1)
    assert close(model.score(wider, ids), model.score(request(), ids))
    assert model.search(wider, 15)[0].equal(model.search(request(), 15)[0])


@models("recall")
def test_a_batch_is_its_rows_one_by_one(case: Case) -> None:
    model = retrieval(fitted(case))
    ids = EVERYTHING.expand(len(request()), -1)
    together = model.score(request(), ids), *model.search(request(), 15)
    columns = model.columns(request(), ids)
    for row in range(len(request())):
        one = request().rows(slice(row, row + 1))
        alone = model.score(one, ids[:1]), *model.search(one, 15)
        assert all(close(a[0], t[row]) for a, t in zip(alone, together, strict=True))
        assert all(close(a[0], columns[name][row]) for name, a in model.columns(one, ids[:1]).items())


@models("recall")
@pytest.mark.parametrize("k", [1, 10, tiny.ITEMS])
def test_search_is_the_best_by_score(case: Case, k: int) -> None:
    model = retrieval(fitted(case))
    found, values = model.search(request(), k)
    assert found.shape == values.shape == (len(request()), k) and found.dtype == torch.int64
    everything = model.score(request(), EVERYTHING.expand(len(request()), -1))
    for ids, given, true in zip(found, values, everything, strict=True):
        items = ids[ids > 0]
        assert len(items.unique()) == len(items) and not ids[len(items) :].any() and ids.max() <= tiny.ITEMS
        assert close(given[: len(items)], true[items - 1])
        # What was left out is no better than the last that was found.
        assert close(given[: len(items)], true.sort(descending=True).values[: len(items)])


@models("recall")
def test_recall_leaves_out_what_is_excluded(case: Case) -> None:
    model, seen = retrieval(fitted(case)), request().features["seen"]
    for k in (5, tiny.ITEMS):
        found = model.recall(request(), k, seen)
        plain = model.search(request(), tiny.ITEMS)[0]
        for ids, all_, out in zip(found.ids.tolist(), plain.tolist(), seen.tolist(), strict=True):
            assert [item for item in ids if item] == [item for item in all_ if item and item not in out][:k]
    assert model.recall(request(), 7).ids.equal(model.search(request(), 7)[0])
    assert model.recall(request(), 10**6).ids.shape[1] == tiny.ITEMS


@models("recall")
@pytest.mark.parametrize(
    "history", [None, [], ["no such item"], {"like": []}], ids=["none", "empty", "unknown", "like"]
)
def test_nobody_is_too_new(case: Case, history: object) -> None:
    model = retrieval(fitted(case))
    new = Store.of(tiny.snapshot()).request([None, "never seen"], [history, history])
    found = model.recall(new, 10, new.features["seen"])
    assert found.ids.min() >= 0 and found.ids.max() <= tiny.ITEMS and not found.scores.isnan().any()
    assert model.score(new, EVERYTHING.expand(2, -1)).isfinite().all()
    assert all(value.isfinite().all() for value in model.columns(new, EVERYTHING.expand(2, -1)).values())


@models("recall")
def test_nothing_is_asked_of_nobody(case: Case) -> None:
    none = request().rows(slice(0, 0))
    assert retrieval(fitted(case)).recall(none, 5).ids.shape == (0, 5)


@models("recall")
def test_a_checkerboard_is_learned(case: Case) -> None:
    """Users of either crowd are recommended their own half of the items, of which each has seen a part."""
    if case.name in NOT_PERSONAL or "content" in case.params:
        pytest.skip("the same for everybody, or blind to what people choose")
    model = case.fresh()
    fit(model, case.view(model), **SLOW_LEARNERS.get(case.name, {"batch_size": 64}))
    store = Store.of(tiny.snapshot())
    users = list(store.encoder.users)
    known = store.request(users)
    found = retrieval(prepared(model)).recall(known, 5, known.features["seen"])
    # `u7` is of crowd 1, whose items are `i30` to `i59`.
    crowd = torch.tensor([int(user[1:]) % 2 for user in users])
    half = torch.tensor([0, *(int(item[1:]) // (tiny.ITEMS // 2) for item in store.encoder.items)])
    own = (half[found.ids] == crowd[:, None])[found.ids > 0]
    assert len(own) > 4 * len(users) and own.float().mean() > 0.95
    liked = [["i3", "i4", "i5"], ["i33", "i34", "i35"]]
    bare = store.request([None, None], [{"watch": items, "like": items} for items in liked])
    ids = retrieval(model).recall(bare, 5, bare.features["seen"]).ids
    assert (half[ids] == torch.tensor([[0], [1]])).float().mean() > 0.7


@models("recall")
@pytest.mark.parametrize("metric", ["cosine", "inner_product", "l2"])
@pytest.mark.parametrize("name", [name for name in ADAPTERS if name != "milvus"])  # slow to start
def test_an_index_at_full_effort_is_exact(case: Case, name: str, metric: str) -> None:
    if not isinstance(fitted(case), EmbeddingRetrieval):
        pytest.skip("has no vectors")
    model, exact = copy.deepcopy(fitted(case)), retrieval(fitted(case))
    # One short of all items, so that the graph is searched and not scanned.
    effort = {"ef_search": tiny.ITEMS - 1, "M": 30} if name in ("hnswlib", "faiss") else {}
    model.index = create_index(name, metric=metric, **effort)
    prepared(model)
    ids, values = model.search(request(), 10)
    expected, true = exact.search(request(), 10)
    assert close(model.score(request(), ids), true) and (ids == expected).float().mean() > 0.99
    # Of unit vectors the squared distance is 2 - 2 cos.
    assert close(1 + values / 2 if metric == "l2" else values, true)

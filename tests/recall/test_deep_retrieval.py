"""Deep Retrieval: its loss, its two indexes, and paths that are known to be best."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from tests import tiny
from tests.conformance.setting import Case, fit, prepared, request
from zoo.core.registry import create_model
from zoo.core.types import Request
from zoo.data.views import EventView
from zoo.recall.deep_retrieval import DeepRetrieval

VIEW = EventView(tiny.snapshot(), 50)
EVERYTHING = torch.arange(1, tiny.ITEMS + 1)


def fresh(**params: object) -> DeepRetrieval:
    torch.manual_seed(0)
    model: DeepRetrieval = create_model("recall/deep_retrieval", tiny.snapshot().schema, **params)
    return model


def test_the_loss_is_that_of_a_loop() -> None:
    model, batch = fresh(width=5, num_paths=3).eval(), VIEW.batch(torch.arange(40, 52))
    model.log_q.update(batch["item_id"])
    user = model.encode_user(batch).detach()
    item = torch.nn.functional.normalize(model.encode_item(batch).detach(), dim=1)
    log_q, losses = model.log_q.log_probability(batch["item_id"]), []
    for row, own in enumerate(batch["item_id"].tolist()):
        paths = [
            model.network.log_probability(user[row : row + 1], code.view(1, 1))
            for code in model.item_paths[own]
        ]
        cosine = item @ torch.nn.functional.normalize(user[row], dim=0) / model.config.temperature - log_q
        rivals = [c for j, c in enumerate(cosine) if batch["item_id"][j] != own or j == row]
        losses.append(
            (torch.stack(rivals).logsumexp(0) - cosine[row] - torch.cat(paths, 1)[0].logsumexp(0)).item()
        )
    assert model.loss(batch).item() == pytest.approx(np.mean(losses), rel=1e-4)


def test_both_indexes_say_the_same() -> None:
    model = fresh(width=4, num_layers=2)
    for _ in range(2):
        pairs = {(int(code), item) for item in EVERYTHING.tolist() for code in model.item_paths[item]}
        listed = zip(model.path_codes.tolist(), model.path_items.tolist(), strict=True)
        assert sorted(listed) == sorted(pairs) and len(pairs) == 3 * tiny.ITEMS
        fit(model, VIEW, max_epochs=2, batch_size=64)
    codes = torch.tensor([[3, 9, 3], [15, 0, 1]])
    for own, found in zip(codes.tolist(), model._on_paths(codes).tolist(), strict=True):
        items = [item for item in found if item]
        assert len(items) == len(set(items)) and set(items) == {
            item for code, item in pairs_of(model) if code in own
        }


def pairs_of(model: DeepRetrieval) -> list[tuple[int, int]]:
    return list(zip(model.path_codes.tolist(), model.path_items.tolist(), strict=True))


def test_a_full_beam_ranks_the_whole_catalogue_by_cosine() -> None:
    model = prepared(fresh(width=4, beam=64))
    ids, scores = model.search(request(), tiny.ITEMS)
    user = torch.nn.functional.normalize(model.encode_user(request().features), dim=1).detach()
    expected = 1 + user @ model.vectors[1:].T
    assert torch.allclose(scores, expected.sort(descending=True).values, atol=1e-5)
    assert ids.sort().values.equal(EVERYTHING.expand_as(ids))
    narrow = prepared(fresh(width=4, beam=2))
    codes = narrow.network.beam(narrow.encode_user(request().features), 2)[0]
    found = narrow.search(request(), tiny.ITEMS)[0]
    for row, own in zip(found.tolist(), codes.tolist(), strict=True):
        assert {item for item in row if item} == {item for code, item in pairs_of(narrow) if code in own}


def test_crowds_that_share_nothing_end_up_on_paths_that_share_nothing() -> None:
    """With one layer of two nodes, the best is one node for each crowd's items."""
    model = fresh(
        width=2, num_layers=1, num_paths=1, train_beam=2, penalty=1e-5, without=["hour", "age", "gender"]
    )
    fit(model, VIEW, max_epochs=12, batch_size=64, lr=1e-2)
    half = torch.tensor([int(item[1:]) // (tiny.ITEMS // 2) for item in VIEW.snapshot.encoder.items])
    nodes = model.item_paths[1:, 0]
    agree = (nodes == half).float().mean().item()
    assert max(agree, 1 - agree) > 0.95
    probability = model.network.beam(model.encode_user(request().features), 1)[1].exp()
    active = (request().features["history:watch"] > 0).sum(1) > 3
    assert probability[active].mean() > 0.9


def test_a_penalty_keeps_paths_from_filling() -> None:
    most = []
    for penalty in (0.0, 1e-3):
        model = fresh(width=4, num_layers=2, penalty=penalty)
        fit(model, VIEW, max_epochs=4, batch_size=64, lr=1e-2)
        assert all(len(set(own)) == 3 for own in model.item_paths[1:].tolist())
        most.append(int(model.path_codes.unique(return_counts=True)[1].max()))
    assert most[1] < most[0]


def test_paths_stay_when_there_are_no_rounds_and_in_the_last_epoch() -> None:
    model = fresh(rounds=0)
    start = model.item_paths.clone()
    fit(model, VIEW, max_epochs=3, batch_size=64)
    assert model.item_paths.equal(start)
    model = fresh()
    fit(model, VIEW, max_epochs=1, batch_size=64)
    assert model.item_paths.equal(start)
    fit(model, VIEW, max_epochs=2, batch_size=64)
    assert not model.item_paths.equal(start)


def test_vectors_decide_where_paths_start() -> None:
    vectors = torch.zeros(tiny.ITEMS + 1, 2)
    vectors[1:31, 0], vectors[31:, 1] = 1, 1
    vectors = vectors + 0.01 * torch.randn(vectors.shape, generator=torch.Generator().manual_seed(0))
    model = fresh(width=2, num_paths=1)
    model.before_fit({}, vectors)
    first = model.network.digits(model.item_paths[1:, 0])[:, 0]
    assert len(first[:30].unique()) == len(first[30:].unique()) == 1 and first[0] != first[30]
    before = copy.deepcopy(model.item_paths)
    model.before_fit({})
    assert model.item_paths.equal(before)


def test_an_item_on_no_found_path_scores_0() -> None:
    model = prepared(fresh(beam=1, width=40))
    assert isinstance(Case("recall/deep_retrieval").fresh(), DeepRetrieval)
    rows = Request({name: value[:2] for name, value in request().features.items()})
    scores = model.score(rows, EVERYTHING.expand(2, -1))
    reached = [
        {i for code, i in pairs_of(model) if code in own}
        for own in model.network.beam(model.encode_user(rows.features), 1)[0].tolist()
    ]
    for row, items in zip(scores, reached, strict=True):
        assert {i + 1 for i, value in enumerate(row.tolist()) if value} == items


@pytest.mark.parametrize(
    ("name", "value"),
    [("width", 1), ("num_paths", 99), ("penalty", -1.0), ("decay", 0.0), ("beam", 0), ("num_layers", 99)],
)
def test_a_senseless_option_names_itself(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must"):
        DeepRetrieval.Config(**{name: value})

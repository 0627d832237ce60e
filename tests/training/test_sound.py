"""Columns that hold what the schema does not say are told by name, at the first step of a fit."""

from __future__ import annotations

import pytest
import torch

from tests.conformance.setting import Case, fit, rank_batch, rank_data
from zoo.core.errors import UserError
from zoo.core.types import Batch
from zoo.data.views import CandidateView
from zoo.training.sound import check_sound

SCHEMA, VIEW = rank_data()
ITEMS = SCHEMA["item_id"].vocab


def spoiled(name: str, value: float, place: tuple[int, ...] = (1, 2)) -> Batch:
    batch = rank_batch()
    column = batch[name].clone()
    column[place[: column.ndim]] = value
    return batch | {name: column}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("label:like", 1.5, r"column 'label:like': found 1.5 \(1 such\), expected labels from 0 to 1"),
        ("label:watch", -1.0, "column 'label:watch': found -1 "),
        ("popular:rank", torch.nan, r"column 'popular:rank': found nan \(1 such\), expected numbers"),
        (
            "item_id",
            ITEMS,
            rf"column 'item_id': found {ITEMS} .*expected ids from 0 \(unknown\) to {ITEMS - 1}",
        ),
        ("genres", -1, "column 'genres': found -1 "),
        ("age", 99, "column 'age': found 99 "),
        ("history:like", 10_000, "column 'history:like': found 10000 "),
    ],
)
def test_a_bad_value_is_told_by_column(name: str, value: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_sound(spoiled(name, value, (1, 0, 0)), SCHEMA)


def test_what_is_allowed() -> None:
    check_sound(rank_batch(), SCHEMA)
    check_sound(spoiled("label:like", torch.nan), SCHEMA)
    check_sound(spoiled("label:like", 0.5), SCHEMA)
    check_sound({name: x for name, x in rank_batch().items() if name != "genres"}, SCHEMA)
    beside = (rank_batch()["item_id"] == 0).nonzero()[0].tolist()
    check_sound(spoiled("label:like", 7.0, tuple(beside)), SCHEMA)


def test_a_label_that_is_missing_is_told() -> None:
    with pytest.raises(UserError, match="column 'label:like' is missing: the schema has a task 'like'"):
        check_sound({name: x for name, x in rank_batch().items() if name != "label:like"}, SCHEMA)


def test_a_fit_looks_at_its_first_batch_and_only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = VIEW.candidates | {"popular:rank": VIEW.candidates["popular:rank"] * torch.nan}
    with pytest.raises(UserError, match="column 'popular:rank': found nan"):
        fit(Case("rank/lr").fresh(), CandidateView(VIEW.requests, bad, VIEW.catalogue), batch_size=8)
    calls = []
    monkeypatch.setattr("zoo.training.rank.check_sound", lambda *_: calls.append(1))
    fit(Case("rank/lr").fresh(), VIEW, max_epochs=2, batch_size=8)
    assert len(calls) == 1


@pytest.mark.parametrize("listwise", [0.0, 0.5])
def test_a_label_that_is_nan_is_as_if_it_was_not_asked_for(listwise: float) -> None:
    """Of a task alone: the loss is that of a batch without those candidates."""
    model = Case("rank/lr", {"listwise": listwise, "task_weights": {"like": 0.0}}).fresh().eval()
    batch, hidden = rank_batch(), rank_batch()["item_id"] % 3 == 0
    unknown = batch | {"label:watch": batch["label:watch"].masked_fill(hidden, torch.nan)}
    without = batch | {"item_id": batch["item_id"].masked_fill(hidden, 0)}
    logits = model(batch)
    model.forward = lambda _: logits  # candidate 0 has other features
    assert model.loss(unknown).item() == pytest.approx(model.loss(without).item(), rel=1e-5)
    model.loss(unknown).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_tasks_without_any_label_and_single_candidates_have_a_loss() -> None:
    for name in ("rank/fibinet", "rank/ppnet"):
        model = Case(name, {"head": {"kind": "mmoe"}}).fresh()
        one = {n: x[:1] if n in VIEW.requests else x[:1, :1] for n, x in rank_batch().items()}
        none = one | {n: x * torch.nan for n, x in one.items() if n.startswith("label:")}
        for batch in (one, none):
            loss = model.loss(batch)
            loss.backward()
            assert loss.isfinite()
            assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())

"""What holds for every pre-rank and rank model."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from tests import tiny
from tests.conformance.setting import Case, fit, fitted, longer, models, rank_batch, rank_data
from zoo.core.errors import UserError
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.data.views import CandidateView
from zoo.layers.heads import MMoE
from zoo.layers.histories import Histories
from zoo.training import CollectingRankModel, RankModel

MASK = rank_data()[1].candidates["item_id"] > 0
PER_CANDIDATE = {*rank_data()[1].candidates, *rank_data()[1].catalogue}


def run(case: Case, batch: Batch) -> Batch:
    model = fitted(case)
    assert isinstance(model, RankModel)
    with torch.no_grad():
        return model(batch)


def close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


def changed(batch: Batch, change: object) -> Batch:
    """The batch with its candidate-level tensors changed."""
    return {name: change(value) if name in PER_CANDIDATE else value for name, value in batch.items()}


@models("prerank", "rank")
def test_there_is_a_finite_logit_for_each_task(case: Case) -> None:
    found = run(case, rank_batch())
    assert list(found) == ["watch", "like"]
    assert all(value.shape == MASK.shape and value.isfinite().all() for value in found.values())


@models("prerank", "rank")
def test_a_value_has_logits_and_weights_that_learn(case: Case) -> None:
    """Each value has weights of its own, and what its targets say reaches them."""
    values = {"watch_time": "weighted_logistic", "share": "regression"}
    model = Case(case.name, case.params | {"values": values}).fresh()
    if isinstance(model, CollectingRankModel):
        return  # It descends no gradient, and has a test of its own.
    assert isinstance(model, RankModel)
    watched = rank_batch()["label:watch"]
    seconds = torch.where(watched > 0, torch.arange(1.0, 1 + watched.shape[1]), torch.nan)
    batch = rank_batch() | {"label:watch_time": seconds, "label:share": seconds / seconds.nansum()}
    found = model(batch)
    assert list(found) == ["watch", "like", *values]
    assert all(value.shape == MASK.shape and value.isfinite().all() for value in found.values())
    loss = model.loss(batch)
    loss.backward()
    assert loss.isfinite()
    for value in values:
        own = [p.grad for name, p in model.named_parameters() if f".{value}." in name]
        assert any(grad is not None and grad.isfinite().all() and grad.any() for grad in own)


@models("prerank", "rank")
def test_more_padding_changes_nothing(case: Case) -> None:
    batch, model = rank_batch(), fitted(case)

    def padded(value: torch.Tensor) -> torch.Tensor:
        wider = F.pad(value, (0, 0) * (value.ndim - 2) + (0, 3))
        # What a column holds beside no candidate must not matter.
        return (
            wider if value.dtype == torch.int64 else wider.masked_fill(F.pad(~MASK, (0, 3), value=True), 77.0)
        )

    wide = changed(longer(batch), padded)
    for name, logits in run(case, wide).items():
        assert close(logits[:, : MASK.shape[1]][MASK], run(case, batch)[name][MASK])
    assert close(model.loss(wide), model.loss(batch))


@models("prerank", "rank")
def test_a_batch_is_its_rows_one_by_one(case: Case) -> None:
    together = run(case, rank_batch())
    for row in range(len(MASK)):
        alone = run(case, rank_batch([row]))
        assert all(close(alone[name][0], logits[row]) for name, logits in together.items())


@models("prerank", "rank")
def test_the_order_of_candidates_is_of_no_effect(case: Case) -> None:
    order = torch.randperm(MASK.shape[1], generator=torch.Generator().manual_seed(0))
    shuffled = run(case, changed(rank_batch(), lambda value: value[:, order]))
    assert all(close(shuffled[name], logits[:, order]) for name, logits in run(case, rank_batch()).items())


@models("prerank", "rank")
def test_no_candidates_are_no_logits(case: Case) -> None:
    found = run(case, changed(rank_batch(), lambda value: value[:, :0]))
    assert all(value.shape == (len(MASK), 0) for value in found.values())


class Operations(TorchDispatchMode):
    """Counts the operations that are run."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


@models("prerank", "rank")
def test_there_is_no_loop_over_users_or_candidates(case: Case) -> None:
    counts = set()
    for rows, width in ((2, 3), (len(MASK), 3), (len(MASK), MASK.shape[1])):
        batch = changed(rank_batch(range(rows)), lambda value, width=width: value[:, :width])
        with Operations() as operations:
            run(case, batch)
        counts.add(operations.count)
    assert len(counts) == 1


@models("prerank", "rank")
def test_probabilities_are_those_of_the_logits(case: Case) -> None:
    model, logits = fitted(case), run(case, rank_batch())
    assert isinstance(model, RankModel)
    for name, found in model.probabilities(rank_batch()).items():
        assert close(found, 1 / (1 + (-logits[name]).exp()))
    incomplete = {name: value for name, value in rank_batch().items() if name != "popular:rank"}
    with pytest.raises(UserError, match=r"made the columns it reads: popular:rank$"):
        model.probabilities(incomplete)


@models("prerank", "rank")
def test_64_rows_are_overfitted(case: Case) -> None:
    """Eight requests of eight candidates each, with labels by item that only memory can tell.

    Cross-entropy this low needs logits far from 0 on both sides, which no probability is.
    """
    draw = torch.Generator().manual_seed(0)
    order = torch.randperm(tiny.ITEMS, generator=draw) + 1
    ids = torch.cat([order, order[: 64 - tiny.ITEMS]]).view(8, 8)
    watched, liked = (torch.rand(tiny.ITEMS + 1, generator=draw) < 0.5 for _ in range(2))
    watch = watched[ids].float()
    whole = rank_data()[1]
    candidates = {name: value[:8, :8] for name, value in whole.candidates.items()}
    candidates |= {"item_id": ids, "label:watch": watch, "label:like": watch * liked[ids]}
    requests = {name: value[:8] for name, value in whole.requests.items()}
    view = CandidateView(requests, candidates, whole.catalogue)
    model = case.fresh()
    assert isinstance(model, RankModel)
    fit(model, view, max_epochs=150, batch_size=8, lr=3e-2)
    logits = model.eval()(view.batch(torch.arange(8)))["watch"].detach()
    assert F.binary_cross_entropy_with_logits(logits, watch) < 0.1
    assert logits[watch > 0].min() > 1 and logits[watch == 0].max() < -1


@models("prerank", "rank")
def test_a_head_and_a_history_are_taken_or_refused(case: Case) -> None:
    """An option of every ranker that one forgets would be a wrong number in a record."""
    for option, kind, part in (("head", "mmoe", MMoE), ("history", "lastn_mean", Histories)):
        try:
            model = Case(case.name, case.params | {option: {"kind": kind}}).fresh()
        except UserError as error:
            assert f"kind {kind}" in str(error)
        else:
            found = [module for module in model.modules() if isinstance(module, part)]
            assert any(getattr(module, "request_dim", 1) for module in found)


@models("prerank", "rank")
def test_an_option_that_names_nothing_is_an_error(case: Case) -> None:
    for params, message in (
        ({"without": ["genre"]}, r"no feature 'genre' \(did you mean 'genres'\?\)"),
        ({"task_weights": {"lik": 1.0}}, r"task_weights: unknown task 'lik' \(did you mean 'like'\?\)"),
    ):
        with pytest.raises(UserError, match=message):
            Case(case.name, params).fresh()
    with pytest.raises(UserError, match="the schema names no task"):
        type(fitted(case))(Schema(case.schema.features), fitted(case).Config())

"""Updates of few rows of a large table, beside torch's own Adam and a table that is updated whole."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.conformance.setting import Case, fit, rank_batch
from zoo.core.config import FitConfig
from zoo.layers.history import history_mean
from zoo.training import optim
from zoo.training.optim import make_optimizer

ROWS, DIM = 6, 3
TARGETS = torch.randn(ROWS, DIM, generator=torch.Generator().manual_seed(0))
IDS = st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=8)


@pytest.fixture(autouse=True)
def _small_tables_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optim, "LARGE_TABLE", ROWS)


def table() -> nn.Embedding:
    torch.manual_seed(0)
    return nn.Embedding(ROWS, DIM)


def loss(rows: Tensor, ids: list[int]) -> Tensor:
    return (rows - TARGETS[ids]).square().sum()


def trained(steps: list[list[int]], **options: object) -> nn.Embedding:
    made = table()
    optimizer = make_optimizer(made, FitConfig(lr=0.1, **options))
    for ids in steps:
        optimizer.zero_grad()
        loss(made(torch.tensor(ids)), ids).backward()
        optimizer.step()
    return made


@pytest.mark.parametrize("name", ["adam", "adamw"])
@settings(max_examples=30, deadline=None)
@given(steps=st.lists(IDS, min_size=1, max_size=5))
def test_every_row_has_an_adam_that_counts_its_own_steps(name: str, steps: list[list[int]]) -> None:
    made = trained(steps, optimizer=name)
    assert made.sparse
    for row, start in enumerate(table().weight.detach()):
        weight = nn.Parameter(start.clone())
        reference = torch.optim.Adam([weight], lr=0.1)
        for ids in steps:
            if times := ids.count(row):
                reference.zero_grad()
                loss(weight.expand(times, -1), [row] * times).backward()
                reference.step()
        assert torch.allclose(made.weight[row], weight, atol=1e-5)


@pytest.mark.parametrize("name", ["sgd", "adagrad"])
def test_the_others_do_what_they_do_with_all_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [[0, 1, 1], [5], [1, 2]]
    few = trained(steps, optimizer=name)
    monkeypatch.setattr(optim, "LARGE_TABLE", ROWS + 1)
    every = trained(steps, optimizer=name)
    assert few.sparse and not every.sparse and torch.allclose(few.weight, every.weight, atol=1e-6)


@pytest.mark.parametrize("options", [{"weight_decay": 0.1}, {"grad_clip": 1.0}])
def test_what_every_row_takes_part_in_is_of_every_row(options: dict[str, float]) -> None:
    made = table()
    make_optimizer(made, FitConfig(**options))
    assert not made.sparse


def test_a_small_table_moves_as_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optim, "LARGE_TABLE", ROWS + 1)
    steps = [[0, 1, 1], [5], [1, 2]]
    made, reference = trained(steps, optimizer="adam"), table()
    optimizer = torch.optim.Adam(reference.parameters(), lr=0.1, fused=False, foreach=False)
    for ids in steps:
        optimizer.zero_grad()
        loss(reference(torch.tensor(ids)), ids).backward()
        optimizer.step()
    assert torch.allclose(made.weight, reference.weight, atol=1e-6)


def test_a_history_has_the_same_gradient_by_row() -> None:
    ids, gradients = torch.tensor([[1, 2, 2, 0], [3, 0, 0, 0], [0, 0, 0, 0]]), []
    for sparse in (False, True):
        made = table()
        made.sparse = sparse
        history_mean(made, ids, half_life=2.0).square().sum().backward()
        assert made.weight.grad is not None and made.weight.grad.is_sparse is sparse
        gradients.append(made.weight.grad.to_dense())
    assert torch.allclose(*gradients) and not gradients[1][0].any()


@pytest.mark.parametrize(
    "case",
    [
        Case("rank/deepfm", {"history": {"kind": "lastn_mean"}}),
        Case("rank/dcn_v2", {"history": {"kind": "din", "hidden": [8]}}),
        Case("recall/two_tower"),
    ],
    ids=lambda case: case.name,
)
def test_a_model_learns_with_every_table_large(case: Case) -> None:
    model, start = case.fresh(), case.fresh()
    fit(model, case.view(model), max_epochs=3, lr=1e-2, batch_size=32)
    tables = {name: m for name, m in model.named_modules() if isinstance(m, nn.Embedding)}
    assert any(m.sparse for m in tables.values())
    learned = {name: not m.weight.equal(start.get_submodule(name).weight) for name, m in tables.items()}
    assert all(learned.values())
    if case.is_rank:
        assert model.loss(rank_batch()) < start.loss(rank_batch())


@pytest.mark.parametrize("whole", [0.0, 0.01])
def test_embeddings_decay_as_if_their_norm_were_in_the_loss(whole: float) -> None:
    """L2 of Adam is the gradient of half the squared norm."""

    def model() -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Embedding(ROWS, DIM), nn.Linear(DIM, DIM))

    ours, plain = model(), model()
    optimizer = make_optimizer(ours, FitConfig(lr=0.1, weight_decay=whole, embedding_decay=0.3))
    reference = torch.optim.Adam(plain.parameters(), lr=0.1)
    for ids in ([0, 1], [1, 2, 5], [4]):
        for made, its, add in ((ours, optimizer, 0.0), (plain, reference, 1.0)):
            its.zero_grad()
            table, linear = made[0], made[1]
            penalty = 0.3 * table.weight.square().sum() + whole * sum(
                weight.square().sum() for weight in linear.parameters()
            )
            (loss(made(torch.tensor(ids)), ids) + add * penalty / 2).backward()
            its.step()
    for one, other in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)

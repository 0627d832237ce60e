"""An index that is added to, updated and deleted from equals one that is built afresh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.index.kinds import KINDS, create
from zoo.core.errors import UserError
from zoo.index import VectorIndex, load_index

METRICS = ["inner_product", "cosine", "l2"]
THOROUGH: dict[str, dict[str, object]] = {
    "hnswlib": {"ef_search": 24, "M": 32},
    "faiss-ivf": {"probes": 256},
    "faiss-hnsw": {"ef_search": 24, "M": 32},
    "milvus-hnsw": {"ef_search": 24, "M": 32},
}
"""Graphs in which nearly everybody is everybody's neighbour, searched and not scanned."""

Step = tuple[str, list[int]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "update", "delete"]),
        st.lists(st.integers(1, 80), min_size=1, max_size=25, unique=True),
    ),
    min_size=1,
    max_size=6,
)


def drawn(count: int, seed: int, dim: int = 6) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)) + 0.5


def best(
    queries: Tensor, items: dict[int, Tensor], metric: str, k: int, out: frozenset[int] = frozenset()
) -> list[list[int]]:
    ids = sorted(set(items) - out)
    if not ids:
        return [[0] * k] * len(queries)
    q, x = queries.double().numpy(), torch.stack([items[i] for i in ids]).double().numpy()
    if metric == "cosine":
        q, x = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (q, x))
    scores = -((q[:, None] - x[None]) ** 2).sum(2) if metric == "l2" else q @ x.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return [([ids[place] for place in row] + [0] * k)[:k] for row in order]


def apply(index: VectorIndex, items: dict[int, Tensor], step: Step, seed: int) -> None:
    what, ids = step
    ids = [i for i in ids if what == "update" or (i in items) == (what == "delete")]
    if not ids or (what == "delete" and len(ids) == len(items)):
        return
    if what == "delete":
        index.delete(torch.tensor(ids))
        for one in ids:
            del items[one]
    else:
        vectors = drawn(len(ids), seed)
        getattr(index, what)(vectors, torch.tensor(ids))
        items |= dict(zip(ids, vectors, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_any_changes_equal_building_afresh(kind: str) -> None:
    @settings(max_examples=3 if kind.startswith("milvus") else 25, deadline=None)
    @given(STEPS, st.sampled_from(METRICS))
    def holds(steps: list[Step], metric: str) -> None:
        index = create(kind, metric=metric, **THOROUGH.get(kind, {}))
        items = dict(zip(range(10, 60), drawn(50, 0), strict=True))
        index.build(torch.stack(list(items.values())), torch.tensor(list(items)))
        # Vectors of their own, as among equal scores an approximate index may find any.
        for number, step in enumerate(steps):
            apply(index, items, step, seed=100 + number)
        queries = drawn(4, 1)
        if kind in THOROUGH and kind != "faiss-ivf":
            index.ef_search = len(index) - 1
        ids, scores = index.search(queries, 7)
        assert len(index) == len(items)
        expected = best(queries, items, metric, 7)
        if kind in THOROUGH and kind != "faiss-ivf":
            # A graph may have a node that no other leads to, above all where a score is no distance.
            both = zip(ids.tolist(), expected, strict=True)
            missed = sum(len({*want} - {*found}) for found, want in both)
            assert missed <= (3 if metric == "inner_product" else 0)
            alone = create("exact", metric=metric)
            alone.build(torch.stack([items[i] for i in items]), torch.tensor(list(items)))
            everything = dict(
                zip(*(x[0].tolist() for x in alone.search(queries[:1], len(items))), strict=True)
            )
            assert scores[0].tolist() == pytest.approx([everything[i] for i in ids[0].tolist()])
        else:
            assert ids.tolist() == expected
        assert (scores.diff(dim=1) <= 0).all()

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_what_changed_is_saved(kind: str, tmp_path: Path) -> None:
    index, queries = create(kind, **THOROUGH.get(kind, {})), drawn(9, 1)
    index.build(drawn(60, 0), torch.arange(1, 61))
    index.delete(torch.arange(1, 12))
    index.update(drawn(8, 5), torch.arange(50, 58))
    index.save(tmp_path)
    loaded = load_index(tmp_path)
    assert len(loaded) == 49 and loaded.search(queries, 9)[0].equal(index.search(queries, 9)[0])
    for one in (index, loaded):
        one.add(drawn(3, 6), torch.tensor([2, 90, 4]))
    assert loaded.search(queries, 9)[0].equal(index.search(queries, 9)[0])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("milvus")])
def test_a_graph_is_built_again_when_most_of_it_is_out_of_date(kind: str) -> None:
    index = create(kind, **THOROUGH.get(kind, {}))
    index.build(drawn(300, 0), torch.arange(1, 301))
    full = index.stats["bytes"]
    index.delete(torch.arange(1, 161))
    assert index._stale == 0 and index.stats["bytes"] < 0.75 * full
    for seed in range(4):
        index.update(drawn(140, seed), torch.arange(161, 301))
        assert index._stale <= 140
    items = dict(zip(range(161, 301), drawn(140, 3), strict=True))
    assert index.search(drawn(5, 9), 10)[0].tolist() == best(drawn(5, 9), items, "inner_product", 10)


def test_lists_are_learned_again_when_there_are_twice_as_many_vectors() -> None:
    index = create("faiss-ivf", lists=8, probes=8)
    index.build(drawn(100, 0), torch.arange(1, 101))
    before = index._index.nlist
    index.add(drawn(300, 1), torch.arange(101, 401))
    assert (before, index._index.nlist) == (2, 8) and len(index) == 400


@pytest.mark.parametrize("kind", KINDS)
def test_an_emptied_index_can_be_filled_again(kind: str) -> None:
    index = create(kind)
    index.add(drawn(3, 0), torch.tensor([5, 6, 7]))
    index.delete(torch.tensor([5, 6, 7]))
    with pytest.raises(UserError, match="is empty"):
        index.search(drawn(1, 1), 1)
    index.update(drawn(2, 2, dim=3), torch.tensor([8, 9]))
    assert sorted(index.search(drawn(1, 1, dim=3), 2)[0][0].tolist()) == [8, 9]


@pytest.mark.parametrize("kind", KINDS)
def test_mistaken_changes_are_told_and_change_nothing(kind: str) -> None:
    index = create(kind)
    index.build(drawn(5, 0), torch.arange(1, 6))
    before = index.search(drawn(2, 1), 5)[0]
    for message, mistake in {
        "id 3 is there already": lambda: index.add(drawn(2, 1), torch.tensor([9, 3])),
        "no id 7 to delete": lambda: index.delete(torch.tensor([2, 7])),
        "dimension 4, expected 6": lambda: index.update(drawn(1, 1, dim=4), torch.tensor([1])),
        "ids must be distinct": lambda: index.update(drawn(2, 1), torch.tensor([8, 8])),
        r"expected \(2, S\)": lambda: index.search(drawn(2, 1), 1, exclude=torch.ones(3, 1)),
    }.items():
        with pytest.raises(UserError, match=message):
            mistake()
    assert index.search(drawn(2, 1), 5)[0].equal(before) and len(index) == 5


def test_holding_the_same_vectors_is_noticed() -> None:
    index, vectors = create("hnswlib", metric="cosine"), drawn(20, 0)
    index.build(vectors, torch.arange(1, 21))
    assert index.holds(vectors.flip(0) * 3, torch.arange(20, 0, -1))
    assert not index.holds(vectors, torch.arange(2, 22))
    assert not index.holds(vectors[:19], torch.arange(1, 20))
    assert not index.holds(vectors[:, :5], torch.arange(1, 21))
    assert not index.holds(vectors + drawn(20, 1) / 100, torch.arange(1, 21))

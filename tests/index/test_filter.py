"""What a search leaves out, against sorting what is left."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import zoo.index.scan
from tests.index.kinds import KINDS, create
from tests.index.test_base_changes import METRICS, THOROUGH, best, drawn
from zoo.index import Allow, Deny, Filter, VectorIndex
from zoo.index.fetch import over_fetch
from zoo.index.query import Query
from zoo.index.table import VectorTable

IDS = list(range(3, 303, 3))


def built(kind: str, metric: str = "inner_product") -> VectorIndex:
    index = create(kind, metric=metric, **THOROUGH.get(kind, {}))
    index.build(drawn(100, 0), torch.tensor(IDS))
    return index


def items() -> dict[int, Tensor]:
    return dict(zip(IDS, drawn(100, 0), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_filters_and_exclusions_equal_sorting_what_is_left(kind: str) -> None:
    index, queries, draw = built(kind), drawn(6, 1), np.random.default_rng(0)
    index.delete(torch.tensor([3, 150]))
    for count in (0, 2, 30, 95):
        chosen = draw.choice([1, 2, *IDS], count, replace=False)
        exclude = torch.from_numpy(draw.integers(0, 310, (6, 40)))
        exclude[0] = 0
        sets: list[tuple[Filter | None, set[int]]] = [
            (Allow(chosen), set(IDS) - set(chosen.tolist())),
            (Deny(chosen.tolist()), set(chosen.tolist())),
            (None, set()),
        ]
        for filter, denied in sets:
            for out in (None, exclude):
                ids, scores = index.search(queries, 8, exclude=out, filter=filter)
                for row in range(6):
                    gone = frozenset(denied | {3, 150} | set(out[row].tolist() if out is not None else []))
                    want = best(queries[row : row + 1], items(), "inner_product", 8, gone)
                    assert ids[row].tolist() == want[0]
                assert scores.isfinite().equal(ids > 0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 90),
    k=st.integers(1, 30),
    metric=st.sampled_from(METRICS),
    gaps=st.booleans(),
    some=st.booleans(),
    levels=st.sampled_from([2, 1000]),
)
def test_scanning_in_blocks_equals_naive(
    seed: int, count: int, k: int, metric: str, gaps: bool, some: bool, levels: int
) -> None:
    draw = np.random.default_rng(seed)
    ids = np.sort(draw.choice(300, count, replace=False)) + 1 if gaps else np.arange(5, 5 + count)
    vectors, queries = (
        torch.from_numpy(draw.integers(1, levels + 1, (n, 3)).astype(np.float32)) for n in (count, 4)
    )
    exclude = torch.from_numpy(draw.integers(0, 310, (4, draw.integers(0, 200))))
    places = np.flatnonzero(draw.random(count) < 0.5) if some else np.arange(count)
    query = Query(queries, min(k, count), exclude, torch.from_numpy(places) if some else None)
    table = VectorTable(vectors, torch.from_numpy(ids))
    q, x = queries.double().numpy(), vectors.double().numpy()
    scores = -((q[:, None] - x[None]) ** 2).sum(2) if metric == "l2" else q @ x.T
    for small, block in ((0, 7), (1 << 17, 4096)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(zoo.index.scan, "_SMALL", small)
            patch.setattr(zoo.index.scan, "_BLOCK", block)
            found, values = zoo.index.scan.scan(query, table, "l2" if metric == "l2" else "inner_product")
        for row in range(4):
            left = [p for p in places if ids[p] not in exclude[row]]
            want = sorted(left, key=lambda p: (-scores[row, p], p))[: query.k]
            assert found[row, : len(want)].tolist() == want and (found[row, len(want) :] == -1).all()
            np.testing.assert_allclose(values[row, : len(want)], scores[row, want], rtol=1e-5)


def test_a_search_goes_on_until_enough_is_left_and_each_row_for_itself() -> None:
    table, asked = VectorTable(drawn(200, 0), torch.arange(1, 201)), []
    order = (drawn(3, 1) @ drawn(200, 0).T).argsort(dim=1, descending=True) + 1
    queries = drawn(3, 1)

    def search(rows: Tensor, width: int) -> Tensor:
        """Finds the best, and as many that are gone."""
        numbers = [int((queries == row).all(dim=1).nonzero()) for row in rows]
        asked.extend((number, width) for number in numbers)
        half = order[numbers, : width // 2]
        return torch.cat([half, torch.full((len(rows), width - width // 2), 999)], dim=1)

    exclude = torch.zeros(3, 50, dtype=torch.int64)
    exclude[1], exclude[2, :3] = order[1, :50], order[2, 10:13]
    found, _ = over_fetch(Query(queries, 10, exclude), table, "inner_product", search)
    for row in range(3):
        want = [i for i in order[row].tolist() if i not in exclude[row]][:10]
        assert (found[row] + 1).tolist() == want
    assert sorted(asked) == [(0, 10), (0, 20), (1, 74), (1, 148), (2, 14), (2, 28)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(1, 40), max_size=15, unique=True)), max_size=8))
def test_a_table_equals_a_dictionary(steps: list[tuple[bool, list[int]]]) -> None:
    table, truth = VectorTable(torch.ones(2, 1), torch.tensor([9, 4])), {4: 1.0, 9: 1.0}
    for number, (put, ids) in enumerate(steps):
        ids = ids if put else [i for i in ids if i in truth]
        if put:
            table.put(torch.full((len(ids), 1), float(number)), torch.tensor(ids, dtype=torch.int64))
            truth |= dict.fromkeys(ids, float(number))
        else:
            table.drop(torch.tensor(ids, dtype=torch.int64))
            truth = {i: value for i, value in truth.items() if i not in ids}
        asked = torch.arange(0, 50)
        found = table.positions(asked)
        assert {i for i in asked.tolist() if found[i] >= 0} == set(truth) and len(table) == len(truth)
        assert all(float(table.vectors[found[i], 0]) == value for i, value in truth.items())
        assert table.ids.equal(table.ids.sort().values) and len(table.ids) <= 2 * len(truth) + 1

"""The places of the best scores against a sort."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.kernels.nearest import GROUPS, best_places
from zoo.layers.search import nearest


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 40),
    columns=st.integers(1, 3 * GROUPS),
    k=st.integers(1, 2 * GROUPS),
    seed=st.integers(0, 99),
)
def test_the_best_are_those_of_a_stable_sort(rows: int, columns: int, k: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    # Few different numbers, so that there are ties, and some places that are none.
    scores = torch.randint(-5, 6 + 40 * (seed % 2), (rows, columns), generator=draw).float()
    scores = scores.masked_fill(torch.rand(scores.shape, generator=draw) < 0.2, -torch.inf)
    found = best_places(scores, k)
    best, order = scores.sort(dim=1, descending=True, stable=True)
    expected = order.masked_fill(best == -torch.inf, -1)[:, :k]
    assert found.shape == (rows, k)
    for row in range(rows):
        one, other = (sorted(x for x in places[row].tolist() if x >= 0) for places in (found, expected))
        assert one == other


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_blocks_are_of_no_effect(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(0)
    query, key = torch.randn(4, 50, 8, generator=draw), torch.randn(4, 600, 8, generator=draw)
    mask = torch.arange(600) < torch.tensor([0, 3, 500, 600])[:, None]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    monkeypatch.setattr("zoo.layers.search.SCORES", 50 * 600 * 2 if threads == 2 else 1)
    found = nearest(query, key, mask, 20)
    torch.set_num_threads(before)
    scores = (query @ key.transpose(1, 2)).masked_fill(~mask[:, None], -torch.inf)
    best, order = scores.topk(20, dim=2)
    expected = order.masked_fill(best == -torch.inf, -1)
    assert found.sort(dim=2).values.equal(expected.sort(dim=2).values)

"""Stages one after another, and what is traced of them."""

from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.funnel.rows import ROWS, given_ids, request
from zoo.core.types import Candidates, Request
from zoo.funnel import Funnel, SeenFilter, Trace


def cut(keep: int) -> object:
    return lambda request, candidates: candidates.top(keep)


@settings(max_examples=40, deadline=None)
@given(
    ROWS,
    st.lists(
        st.one_of(st.builds(SeenFilter, st.none() | st.integers(1, 5)), st.integers(1, 5).map(cut)),
        max_size=4,
    ),
)
def test_survival_can_only_fall(rows: list[tuple[list[int], list[int]]], stages: list[object]) -> None:
    trace, start = Trace(), given_ids(rows)
    final = Funnel([(f"s{n}", stage) for n, stage in enumerate(stages)])(request(rows), start, trace)
    alive = [start, *trace.candidates.values()]
    for before, after in pairwise(alive):
        for one, next_ in zip(before.ids.tolist(), after.ids.tolist(), strict=True):
            assert set(next_) - {0} <= set(one)
    assert final is alive[-1]
    assert list(trace.seconds) == list(trace.candidates) == [f"s{n}" for n in range(len(stages))]
    assert all(seconds >= 0 for seconds in trace.seconds.values())


def test_a_funnel_starts_from_nothing_and_is_itself_a_stage() -> None:
    asked = Request({"seen": torch.tensor([[2], [0]])})

    def source(request: Request, candidates: Candidates) -> Candidates:
        assert candidates.ids.shape == (2, 0) and not torch.is_grad_enabled()
        return Candidates.of(torch.tensor([[1, 2, 3], [2, 1, 4]]))

    inner = Funnel([("source", source), ("exposure", SeenFilter())])
    outer = Funnel([("inner", inner), ("first", lambda request, candidates: candidates.compact(1))])
    assert inner(asked).ids.tolist() == [[1, 3, 0], [2, 1, 4]]
    assert outer(asked).ids.tolist() == [[1], [2]]
    assert inner.upto("source")(asked).ids.tolist() == [[1, 2, 3], [2, 1, 4]]
    assert inner(asked, Candidates.empty(2)).ids.equal(inner(asked).ids)

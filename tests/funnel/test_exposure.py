"""The exposure filter against a loop."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import padded_ids
from zoo.core.types import Candidates, Request
from zoo.funnel import SeenFilter

ROW = st.lists(st.integers(0, 6), min_size=5, max_size=5)
ROWS = st.lists(st.tuples(ROW, st.lists(st.integers(1, 6), max_size=4)), min_size=1, max_size=3)


def request(rows: list[tuple[list[int], list[int]]]) -> Request:
    return Request({"seen": padded_ids([seen for _, seen in rows], 4)})


def given_ids(rows: list[tuple[list[int], list[int]]]) -> Candidates:
    ids = torch.tensor([ids for ids, _ in rows])
    return Candidates.of(ids, ids * 0.5, 1).with_columns(same=ids.float())


@settings(max_examples=60, deadline=None)
@given(ROWS, st.none() | st.integers(1, 6))
def test_what_was_seen_is_not_shown(rows: list[tuple[list[int], list[int]]], keep: int | None) -> None:
    found = SeenFilter(keep)(request(rows), given_ids(rows))
    expected = [[item for item in ids if item and item not in seen] for ids, seen in rows]
    width = max(map(len, expected)) if keep is None else min(keep, max(map(len, expected)))
    assert found.ids.equal(padded_ids([row[:width] for row in expected], width))
    assert found.columns["same"].masked_select(found.mask).equal(found.ids[found.mask].float())
    assert found.scores.masked_select(found.mask).equal(found.ids[found.mask] * 0.5)

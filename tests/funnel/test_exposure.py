"""The exposure filter against a loop."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.funnel.rows import ROWS, given_ids, request
from tests.world import padded_ids
from zoo.funnel import SeenFilter


@settings(max_examples=60, deadline=None)
@given(ROWS, st.none() | st.integers(1, 6))
def test_what_was_seen_is_not_shown(rows: list[tuple[list[int], list[int]]], keep: int | None) -> None:
    found = SeenFilter(keep)(request(rows), given_ids(rows))
    expected = [[item for item in ids if item and item not in seen] for ids, seen in rows]
    width = max(map(len, expected)) if keep is None else min(keep, max(map(len, expected)))
    assert found.ids.equal(padded_ids([row[:width] for row in expected], width))
    assert found.columns["same"].masked_select(found.mask).equal(found.ids[found.mask].float())
    assert found.scores.masked_select(found.mask).equal(found.ids[found.mask] * 0.5)

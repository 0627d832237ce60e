"""Stable top-k against Python's sort."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zoo.core.topk import is_member, search_beyond, stable_topk, without_repeats


@settings(max_examples=80, deadline=None)
@given(
    scores=arrays(np.float32, (3, 7), elements=st.sampled_from([-np.inf, -1, 0, 0.5, 2, np.inf])),
    k=st.integers(1, 9),
)
def test_equals_a_stable_sort(scores: np.ndarray, k: int) -> None:
    values, index = stable_topk(torch.from_numpy(scores), k)
    for row, found, positions in zip(scores, values.tolist(), index.tolist(), strict=True):
        expected = sorted(range(7), key=lambda column: -row[column])[:k]
        assert positions == expected
        assert found == row[expected].tolist()


IDS = arrays(np.int64, (3, 6), elements=st.integers(0, 4))


@settings(max_examples=40, deadline=None)
@given(IDS, st.integers(0, 6))
def test_without_repeats_keeps_the_first(ids: np.ndarray, width: int) -> None:
    rows = ids[:, :width].tolist()
    expected = [[0 if value in row[:place] else value for place, value in enumerate(row)] for row in rows]
    assert without_repeats(torch.tensor(rows, dtype=torch.int64).view(3, width)).tolist() == expected


@settings(max_examples=40, deadline=None)
@given(IDS, IDS, st.integers(0, 6))
def test_membership_equals_pythons(ids: np.ndarray, sets: np.ndarray, width: int) -> None:
    found = is_member(torch.from_numpy(ids), torch.from_numpy(sets[:, :width].copy()))
    expected = [
        [item > 0 and item in row for item in items] for items, row in zip(ids, sets[:, :width], strict=True)
    ]
    assert found.tolist() == expected


def test_a_search_beyond_is_wide_enough_for_each_row_and_knows_nothing_of_the_other_rows() -> None:
    extra, asked = torch.tensor([0, 1, 3, 9, 0]), {}

    def search(rows: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        asked.update(dict.fromkeys(rows.tolist(), width))
        ids = rows[:, None] * 100 + torch.arange(min(width, 12))  # twelve items are all there are
        return ids, -ids.float()

    ids, scores = search_beyond(5, extra, search)
    assert asked == {0: 5, 1: 6, 2: 9, 3: 21, 4: 5}
    for row in range(5):
        found = min(asked[row], 12)
        assert ids[row, :found].tolist() == [row * 100 + place for place in range(found)]
        assert not ids[row, found:].any() and (scores[row, found:] == -torch.inf).all()
        alone = search_beyond(5, extra[row : row + 1], lambda rows, width: search(rows + row, width))[0]  # noqa: B023
        assert alone[0].tolist() == ids[row, : alone.shape[1]].tolist()
    assert search_beyond(5, extra[:0], search)[0].shape == (0, 0)

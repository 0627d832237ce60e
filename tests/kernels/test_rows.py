"""Rows that grow, against lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.kernels.rows import Rows


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 99), max_size=4), max_size=5),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), max_size=60),
)
def test_rows_are_lists(before: list[list[int]], events: list[tuple[int, int]]) -> None:
    expected = [list(row) for row in before]
    offsets = np.cumsum([0, *map(len, before)])
    rows = Rows(offsets, np.array([value for row in before for value in row], np.uint32))
    for row, value in events:
        while row >= len(rows):
            assert rows.new_row() == len(expected)
            expected.append([])
        rows.append(row, value)
        expected[row].append(value)
    assert [rows[row].tolist() for row in range(len(rows))] == expected
    assert rows.sizes[: len(rows)].tolist() == list(map(len, expected))

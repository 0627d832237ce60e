"""The best few, against a sort."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.kernels.best import pack, push, select, settle, unpacked

VALUES = st.sampled_from([0.1, 0.5, 0.5000001, 2.0, 1e-30])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.5000001, 2.0, 1e-30]), st.integers(1, 9)), max_size=60),
    st.integers(1, 9),
)
def test_the_best_are_those_of_a_stable_sort(candidates: list[tuple[float, int]], k: int) -> None:
    buffers, sizes, floor = np.zeros((1, 2 * k), np.uint64), np.zeros(1, np.int64), np.zeros(1, np.uint64)
    for value, id_ in candidates:
        packed = pack(np.float32(value), id_)
        if packed > floor[0]:
            push(buffers, sizes, floor, 0, packed)
    found = settle(buffers[0], sizes[0], k)
    expected = sorted(((-np.float32(value), id_) for value, id_ in candidates))[:k]
    _, ids, values = unpacked(buffers[:, :found])
    assert list(zip((-values).tolist(), ids.tolist(), strict=True)) == expected


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=50), st.data())
def test_a_selection_has_the_largest_in_front(numbers: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(numbers)))
    buffer = np.array(numbers, np.uint64)
    select(buffer, len(buffer), k)
    assert sorted(buffer[:k].tolist()) == sorted(numbers)[-k:]

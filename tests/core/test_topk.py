"""Stable top-k against Python's sort."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zoo.core.topk import stable_topk


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

"""Requests by what was seen, and candidates, from plain rows."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from tests.world import padded_ids
from zoo.core.types import Candidates, Request

ROW = st.lists(st.integers(0, 6), min_size=5, max_size=5)
ROWS = st.lists(st.tuples(ROW, st.lists(st.integers(1, 6), max_size=4)), min_size=1, max_size=3)


def request(rows: list[tuple[list[int], list[int]]]) -> Request:
    return Request({"seen": padded_ids([seen for _, seen in rows], 4)})


def given_ids(rows: list[tuple[list[int], list[int]]]) -> Candidates:
    ids = torch.tensor([ids for ids, _ in rows])
    return Candidates.of(ids, ids * 0.5, 1).with_columns(same=ids.float())

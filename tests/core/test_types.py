"""`Candidates` against rows of plain tuples."""

from __future__ import annotations

from typing import NamedTuple

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.core.types import Candidates, Request


class Item(NamedTuple):
    id: int
    score: float
    source: int
    price: float


ITEM = st.builds(
    Item,
    st.integers(0, 5),
    st.sampled_from([-2.0, 0.0, 0.5, 3.0, float("-inf")]),
    st.integers(0, 7),
    st.sampled_from([1.0, 2.0]),
)
ROWS = st.integers(0, 5).flatmap(
    lambda width: st.lists(st.lists(ITEM, min_size=width, max_size=width), min_size=1, max_size=3)
)


def candidates(rows: list[list[Item]]) -> Candidates:
    def column(name: str, dtype: torch.dtype) -> torch.Tensor:
        return torch.tensor([[getattr(item, name) for item in row] for row in rows], dtype=dtype)

    columns = {"price": column("price", torch.float32)}
    return Candidates(
        column("id", torch.int64), column("score", torch.float32), column("source", torch.int64), columns
    )


def rows_of(found: Candidates) -> list[list[Item]]:
    columns = (found.ids, found.scores, found.source, found.columns["price"])
    return [
        [Item(*values) for values in zip(*row, strict=True)]
        for row in zip(*(c.tolist() for c in columns), strict=True)
    ]


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 6))
def test_top_is_a_stable_sort_by_score_with_padding_last(rows: list[list[Item]], k: int) -> None:
    expected = [sorted(row, key=lambda item: -item.score if item.id else float("inf"))[:k] for row in rows]
    assert rows_of(candidates(rows).top(k)) == expected


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 6))
def test_compact_moves_padding_behind(rows: list[list[Item]], k: int) -> None:
    expected = [sorted(row, key=lambda item: item.id == 0)[:k] for row in rows]
    assert rows_of(candidates(rows).compact(k)) == expected


@settings(max_examples=30, deadline=None)
@given(ROWS.filter(lambda rows: rows[0]), st.data())
def test_take_takes_every_column_along(rows: list[list[Item]], data: st.DataObject) -> None:
    places = st.lists(st.integers(0, len(rows[0]) - 1), min_size=2, max_size=2)
    order = [data.draw(places) for _ in rows]
    expected = [[row[place] for place in places] for row, places in zip(rows, order, strict=True)]
    assert rows_of(candidates(rows).take(torch.tensor(order))) == expected


def test_bare_ids_become_candidates_of_a_channel() -> None:
    ids = torch.tensor([[3, 0]])
    assert Candidates.of(ids).source.tolist() == [[0, 0]]
    found = Candidates.of(ids, torch.tensor([[0.5, 0.1]]), channel=4)
    assert found.source.tolist() == [[16, 0]] and found.mask.tolist() == [[True, False]]
    assert Candidates.empty(2).ids.shape == Candidates.empty(2).scores.shape == (2, 0)


def test_scores_and_columns_are_replaced_in_a_copy() -> None:
    found = candidates([[Item(1, 1.0, 1, 2.0)]])
    changed = found.with_scores(torch.tensor([[9.0]])).with_columns(colour=torch.tensor([[7.0]]))
    assert changed.scores.item() == 9 and changed.columns.keys() == {"price", "colour"}
    assert found.scores.item() == 1 and found.columns.keys() == {"price"}


def test_rows_of_a_request() -> None:
    request = Request({"age": torch.tensor([1, 2, 3]), "history:watch": torch.arange(6).view(3, 2)})
    assert len(request) == 3 and request.device.type == "cpu"
    assert request.rows(slice(1, 2)).features["history:watch"].tolist() == [[2, 3]]
    assert request.rows(torch.tensor([2, 0])).features["age"].tolist() == [3, 1]

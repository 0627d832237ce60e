"""Training rows against loops over plain rows."""

from __future__ import annotations

import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import DAY, START, ordered, padded_ids, world
from zoo.core.types import Batch
from zoo.data.encode import Encoder
from zoo.data.log import Log
from zoo.data.roles import BehaviourConfig, SchemaConfig
from zoo.data.snapshot import Snapshot
from zoo.data.split import Events
from zoo.data.views import BatchLoader, CandidateView, ColumnView, EventView, HistoryView

CUT = START + 25 * DAY
FEW = settings(max_examples=10, deadline=None)


@FEW
@given(st.integers(0, 40))
def test_a_row_of_events_is_the_moment_before_an_event(which: int) -> None:
    w = world(which)
    view = EventView(w.snapshot(CUT), history_length=3)
    batch, place = view.batch(torch.arange(len(view))), 0
    for user in sorted(w.users):
        own = [event for event in ordered(w, user) if event.time < CUT]
        for number, event in enumerate(own):
            history = [w.item(past.item) for past in reversed(own[:number])][:3]
            assert batch["history:watch"][place].tolist() == padded_ids([history], 3)[0].tolist()
            assert batch["item_id"][place] == w.item(event.item)
            assert batch["label:watch"][place] == 1 and batch["label:like"][place] == (event.rating >= 4)
            place += 1
    assert len(view) == place
    for name in ("year", "genres"):
        assert batch[name].equal(view.snapshot.catalogue[name][batch["item_id"]])


@FEW
@given(st.integers(0, 40))
def test_a_row_of_histories_is_all_that_a_user_did(which: int) -> None:
    w = world(which)
    view = HistoryView(w.snapshot(CUT))
    batch, place = view.batch(torch.arange(len(view))), 0
    past = {user: sum(event.time < CUT for event in ordered(w, user)) for user in sorted(w.users)}
    for user in sorted(past, key=lambda user: -past[user]):
        own = [event for event in ordered(w, user) if event.time < CUT][::-1]
        for name, events in (("watch", own), ("like", [event for event in own if event.rating >= 4])):
            if own:
                ids = [w.item(event.item) for event in events]
                assert batch[f"history:{name}"][place, : len(ids)].tolist() == ids
                assert not batch[f"history:{name}"][place, len(ids) :].any()
                ages = [(CUT - event.time) / DAY for event in events]
                assert batch[f"age:{name}"][place, : len(ids)].tolist() == pytest.approx(ages)
        if own:
            assert w.encoder(CUT).users[batch["user_id"][place] - 1] == user
        place += bool(own)
    assert len(view) == place


def test_a_row_of_candidates_looks_up_what_never_changes() -> None:
    requests = {"age": torch.tensor([1, 2, 3])}
    candidates = {"item_id": torch.tensor([[1, 2], [2, 0], [1, 1]]), "score": torch.rand(3, 2)}
    catalogue = {"item_id": torch.arange(3), "genres": torch.tensor([[0, 0], [5, 6], [7, 0]])}
    view = CandidateView(requests, candidates, catalogue)
    batch = view.batch(torch.tensor([1, 0]))
    assert batch["age"].tolist() == [2, 1] and batch["item_id"].tolist() == [[2, 0], [1, 2]]
    assert batch["genres"].tolist() == [[[7, 0], [0, 0]], [[5, 6], [7, 0]]]
    assert batch["score"].equal(candidates["score"][[1, 0]])
    assert view.request(torch.tensor([2])).features.keys() == {"age"} and len(view) == 3


class Numbers:
    def __len__(self) -> int:
        return 10

    def batch(self, index: torch.Tensor) -> Batch:
        return {"row": index}


def test_batches_cover_every_row_once_in_an_order_that_the_seed_decides() -> None:
    def order(seed: int | None, epochs: int = 1) -> list[list[int]]:
        loader = BatchLoader(Numbers(), 4, seed)
        assert len(loader) == 3
        return [torch.cat([batch["row"] for batch in loader]).tolist() for _ in range(epochs)]

    assert order(None) == [list(range(10))]
    first, second = order(7, 2)
    assert sorted(first) == sorted(second) == list(range(10)) and first != second
    assert order(7, 2) == [first, second] != order(8, 2)
    assert [len(batch["row"]) for batch in BatchLoader(Numbers(), 4)] == [4, 4, 2]


def test_rows_of_columns_are_those_asked_for() -> None:
    columns = {"a": torch.arange(10), "b": torch.arange(10) * 0.5}
    some = ColumnView(columns, torch.tensor([9, 0, 4]))
    assert len(ColumnView(columns)) == 10 and len(some) == 3
    assert some.batch(torch.tensor([2, 0]))["a"].tolist() == [4, 9]
    loaded = [batch["b"].tolist() for batch in BatchLoader(ColumnView(columns), 4)]
    assert loaded == [[0.0, 0.5, 1.0, 1.5], [2.0, 2.5, 3.0, 3.5], [4.0, 4.5]]


def test_what_was_only_shown_is_no_row_and_a_number_is_a_label() -> None:
    events = pa.table(
        {
            "user_id": list("aaab"),
            "item_id": ["1", "2", "3", "1"],
            "time": [1, 2, 3, 4],
            "click": [0, 1, 1, 0],
            "ms": [None, 2000, None, 500],
        }
    )
    roles = SchemaConfig(
        behaviours={
            "shown": BehaviourConfig(kind="exposure"),
            "click": BehaviourConfig("click == 1"),
            "seconds": BehaviourConfig("click == 1", "explicit", "click", "ms / 1000"),
        }
    )
    log = Log.of(events)
    encoder = Encoder.fit(log, roles, torch.arange(2))
    view = EventView(Snapshot.at(log, Events.of(log, roles), encoder, 9, 4))
    batch = view.batch(torch.arange(len(view)))
    assert batch["item_id"].tolist() == [2, 3] and batch["label:click"].tolist() == [1, 1]
    assert batch["history:shown"].tolist() == [[1, 0, 0, 0], [2, 1, 0, 0]]
    assert batch["label:seconds"][0] == 2 and batch["label:seconds"][1].isnan()

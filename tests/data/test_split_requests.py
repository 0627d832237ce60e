"""Which events belong to one request, and where histories end, against loops over plain rows."""

from __future__ import annotations

import pyarrow as pa
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zoo.data.log import Log
from zoo.data.roles import BehaviourConfig, FeatureConfig, SchemaConfig
from zoo.data.split import Events, every_event, window

SHOWN = SchemaConfig(
    behaviours={"show": BehaviourConfig(kind="exposure"), "click": BehaviourConfig("click == 1")}
)
CHOSEN = SchemaConfig(behaviours={"watch": BehaviourConfig(), "click": BehaviourConfig("click == 1")})
ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"),  # user
        st.integers(0, 4),  # item
        st.integers(0, 6),  # time
        st.integers(0, 1),  # click
        st.one_of(st.none(), st.integers(0, 3)),  # which of the user's requests at that time
    ),
    min_size=1,
    max_size=40,
)


def make(rows: list[tuple], roles: SchemaConfig, ids: bool) -> tuple[Log, Events]:
    """A log whose request ids say user and time, and are empty for events on their own."""
    table = {
        "user_id": [row[0] for row in rows],
        "item_id": [str(row[1]) for row in rows],
        "time": [row[2] for row in rows],
        "click": [row[3] for row in rows],
    }
    if ids:
        named = [None if row[4] is None else f"{row[0]}{row[2]}{row[4]}" for row in rows]
        table["request_id"] = pa.array(named, pa.string())
    log = Log.of(pa.table(table))
    return log, Events.of(log, roles)


def naive(log: Log, key: str) -> list[int]:
    """Of every event the first of its user that has the same key; itself where there is none."""
    rows, first = log.events.to_pylist(), {}
    return [
        i if row[key] is None else first.setdefault((row["user"], row[key]), i) for i, row in enumerate(rows)
    ]


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_a_history_ends_before_the_first_row_of_its_request(rows: list[tuple]) -> None:
    for ids in (True, False):
        log, events = make(rows, SHOWN, ids)
        first = naive(log, "request_id" if ids else "time")
        requests = every_event(events, events.offsets[1:])
        assert requests.end.tolist() == first
        assert requests.first.tolist() == list(range(len(rows)))
        assert requests.stop.tolist() == [i + 1 for i in range(len(rows))]
        assert requests.new.tolist() == [end == events.offsets[events.row[end]] for end in first]


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_what_was_chosen_is_a_request_of_its_own_as_ever(rows: list[tuple]) -> None:
    _, events = make(rows, CHOSEN, ids=False)
    requests = every_event(events, events.offsets[1:])
    assert events.request is None
    assert requests.end.tolist() == requests.first.tolist() == list(range(len(rows)))


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 6), st.floats(0.1, 0.9))
@example([("a", item, 5, 0, item % 2) for item in range(8)], 0, 0.9)  # two requests, mixed by the hash
def test_a_window_splits_no_request(rows: list[tuple], start: int, share: float) -> None:
    for ids in (True, False):
        log, events = make(rows, SHOWN, ids)
        first = naive(log, "request_id" if ids else "time")
        found = window(events, start, 7, share)
        assert (found.end <= found.first).all() and (found.first < found.stop).all()
        for row, end, stop in zip(*(x.tolist() for x in (found.row, found.end, found.stop)), strict=True):
            before = list(range(events.offsets[row], end))
            # A request that reaches over the cut itself is cut there: what was known then is known.
            inside = {first[i] for i in before if events.time[i] >= start}
            assert not inside & {first[i] for i in range(end, stop)}
            known = sum(int(events.time[i]) < start for i in range(events.offsets[row], stop))
            assert len(before) >= known


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 2**20))
def test_what_is_for_training_and_earlier_is_the_history_of_any_part(rows: list[tuple], draw: int) -> None:
    log, _ = make(rows, SHOWN, ids=False)
    parts = [(draw >> (i % 20)) & 1 for i in range(len(rows))]
    log = Log(log.events.append_column("split", pa.array(parts)), log.users, log.items)
    log = log.with_ties(0, again=True)
    events, table = Events.of(log, SHOWN), log.events.to_pylist()
    stop = torch.tensor(
        [
            int(events.offsets[u]) + sum(row["user"] == u and row["split"] == 0 for row in table)
            for u in range(log.users.num_rows)
        ]
    )
    ends = events.earlier(torch.arange(len(table)), stop).tolist()
    for row, end in zip(table, ends, strict=True):
        history = [table[i] for i in range(int(events.offsets[row["user"]]), end)]
        own = [other for other in table if other["user"] == row["user"]]
        expected = [other for other in own if other["split"] == 0 and other["time"] < row["time"]]
        assert history == expected


def test_nobody_has_no_history() -> None:
    log = Log.of(pa.table({"time": [1, 2, 3], "click": [0, 1, 0]}))
    events = Events.of(log, SHOWN)
    assert events.nameless and events.past(torch.arange(3)).tolist() == [0, 0, 0]
    assert events.earlier(torch.arange(3), torch.tensor([2])).tolist() == [0, 0, 0]
    one = Log.of(pa.table({"user_id": ["u", "u", "u"], "time": [1, 2, 3], "click": [0, 1, 0]}))
    assert Events.of(one, SHOWN).past(torch.arange(3)).tolist() == [0, 1, 2]


def test_multi_valued_columns_of_what_was_shown_are_refused() -> None:
    with pytest.raises(ValueError, match="shown must not be multi, found tags"):
        SchemaConfig(shown={"tags": FeatureConfig("multi", length=2)})

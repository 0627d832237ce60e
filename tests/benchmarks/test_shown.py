"""Rows that were shown against loops over plain rows: who is trained on what, and what is measured."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from tiny_shown import RANDOM, ROLES, START, TIME, Row, data, runner, spec, world

from benchmarks.datasets import DatasetConfig
from benchmarks.datasets.assemble import assembled
from benchmarks.datasets.profiling.leaks import leaks
from benchmarks.datasets.tables import Report, TableConfig
from benchmarks.populations import populations, positives, table
from benchmarks.protocols import ProtocolConfig, ShownConfig
from benchmarks.shown import ShownData, population, rows
from benchmarks.split_configs import FixedSplit, LeaveOneOut, WindowSplit
from benchmarks.world import World
from zoo.core.errors import UserError
from zoo.data.encode import Encoder
from zoo.data.log import Log
from zoo.data.marks import flags_of
from zoo.data.roles import BehaviourConfig, FeatureConfig, SchemaConfig
from zoo.data.snapshot import DAY
from zoo.data.split import Events

Told = dict[str, list[tuple]]


def told(of: World, side: int) -> list[tuple[list[tuple], set[tuple]]]:
    """Of every request the rows that were shown, in any order, and its history."""
    view = ShownData.of(of).train if side == 0 else ShownData.of(of).test
    users, items = of.log.users["user_id"].to_pylist(), of.log.items["item_id"].to_pylist()
    events, found = of.events, []
    key = list(
        zip(
            [users[u] for u in events.row],
            [items[i - 1] for i in events.item],
            events.time.tolist(),
            strict=True,
        )
    )
    shown = view.shown
    for n in range(len(shown)):
        own = sorted(key[i] for i in shown.event[shown.offsets[n] : shown.offsets[n + 1]])
        first, end = int(events.offsets[shown.requests.row[n]]), int(shown.requests.end[n])
        found.append((own, set(key[first:end])))
    return found


def key_of(row: Row) -> tuple:
    return row.user, row.item, row.time


@pytest.mark.parametrize("ids", [True, False])
def test_a_cut_in_time_trains_on_all_before_it_and_measures_requests_as_of_themselves(ids: bool) -> None:
    all_rows = data()
    of = world(ids=ids)
    lists = defaultdict(list)
    for row in all_rows:
        if row.action == "list":
            lists[row.user, row.time].append(key_of(row))
    for side, inside in ((0, lambda t: t < of.moment.time), (1, lambda t: t >= of.moment.time)):
        expected = {
            (user, time): (sorted(own), {key_of(r) for r in all_rows if r.user == user and r.time < time})
            for (user, time), own in lists.items()
            if inside(time)
        }
        found = told(of, side)
        assert len(found) == len(expected) > 10
        for own, history in found:
            assert (own, history) == expected[own[0][0], own[0][2]]


def test_windows_measure_what_is_in_them() -> None:
    spread = tuple(replace(row, time=START + (row.time - START) * 100) for row in data())
    split = WindowSplit("windows", 30, ["2001-11-01"], ["2001-12-10", "2002-01-10"])
    of = world(replace(TIME, split=split, fold=0), spread)
    train, test = rows(of)
    begin = of.moment.time
    for shown, inside in ((train, lambda t: t < begin), (test, lambda t: begin <= t < begin + 30 * DAY)):
        expected = [row for row in spread if row.action == "list" and inside(row.time)]
        assert len(shown.event) == len(expected) > 10


def test_at_random_a_history_holds_earlier_rows_for_training_only() -> None:
    of, all_rows = world(RANDOM), data()
    (trained, measured), visits = (
        (told(of, 0), told(of, 1)),
        [row for row in all_rows if row.action != "list"],
    )
    rows_of = [{key for own, _ in side for key in own} for side in (trained, measured)]
    assert not rows_of[0] & rows_of[1]
    assert rows_of[0] | rows_of[1] == {key_of(row) for row in all_rows if row.action == "list"}
    assert abs(len(rows_of[1]) / (len(all_rows) - len(visits)) - 0.1) < 0.05
    part = {}
    for place, number in enumerate(of.log.events["split"].to_pylist()):
        user, item = (int(x[place]) for x in (of.events.row, of.events.item))
        part[f"u{user:02}", f"i{item - 1:02}", int(of.events.time[place])] = number
    for own, history in trained + measured:
        user, _, time = own[0]
        assert history == {key for key, p in part.items() if key[0] == user and key[2] < time and p == 0}


def test_a_batch_holds_every_row_with_its_labels_and_what_was_shown() -> None:
    of = world()
    made = ShownData.of(of)
    by_key = {key_of(row): row for row in data()}
    encoder, brands = of.encoder, "abc"
    prices = np.log1p([row.price for row in data() if row.price and row.time < of.moment.time])
    whole = made.test.batch(torch.arange(len(made.test)))
    one = made.test.batch(torch.tensor([3]))
    assert torch.equal(one["item_id"][0], whole["item_id"][3, : one["item_id"].shape[1]])
    shown, events = made.test.shown, of.events
    for n in range(len(made.test)):
        places = shown.event[shown.offsets[n] : shown.offsets[n + 1]].tolist()
        assert int((whole["item_id"][n] > 0).sum()) == len(places)
        for k, place in enumerate(places):
            user, item, time = (int(x[place]) for x in (events.row, events.item, events.time))
            row = by_key[f"u{user:02}", f"i{item - 1:02}", time]
            said = {
                name: whole[name][n, k].item() for name in whole if whole[name].ndim == 2 and name in BY_ROW
            }
            assert said["label:click"] == row.click and said["label:buy"] == row.buy
            assert said["label:listed"] == 1 and said["label:never"] == 0
            assert said["label:stay"] == row.stay if row.stay else np.isnan(said["label:stay"])
            words = encoder.vocabularies["position"]
            assert words[int(said["position"]) - 1] == str(row.position)
            assert said["price"] == pytest.approx(np.log1p(row.price), abs=1e-5)
            assert encoder.vocabularies["brand"][int(said["brand"]) - 1] == brands[(item - 1) % 3]
    price = made.schema["price"]
    assert (price.role, price.of) == ("column", "shown")
    assert (price.mean, price.std) == pytest.approx((prices.mean(), prices.std()), abs=1e-4)


BY_ROW = {
    "item_id",
    "position",
    "price",
    "brand",
    "label:click",
    "label:buy",
    "label:listed",
    "label:never",
    "label:stay",
}


def test_no_feature_of_a_training_row_knows_the_future_or_the_row_itself() -> None:
    before = ShownData.of(world())
    cut = world().moment.time
    # From the cut on everything is clicked; of one training request, its user's last, the label turns.
    last = max((row for row in data() if row.time < cut and row.action == "list"), key=lambda row: row.time)
    changed = tuple(
        replace(row, click=1, price=1.0)
        if row.time >= cut
        else replace(row, click=1 - row.click)
        if key_of(row) == key_of(last)
        else row
        for row in data()
    )
    after = ShownData.of(world(rows=changed))
    assert [f.name for f in before.schema] == [f.name for f in after.schema]
    assert not before.schema.having("item_stat")
    assert {f.name for f in before.schema if f.name == "size"} == {"size"}, (
        "numbers of items are no statistics"
    )
    index = torch.arange(len(before.train))
    one, other = before.train.batch(index), after.train.batch(index)
    rate = of_rates(before)
    for name in one:
        if not name.startswith("label:") and name not in rate:
            assert torch.equal(one[name], other[name]), name


def of_rates(made: ShownData) -> set[str]:
    """Smoothed shares, whose prior is the one number that counts all known labels."""
    return {f.name for f in made.schema if f.name.startswith("user_rate:")}


def test_who_is_measured_is_counted() -> None:
    of = world()
    found, test = population(of), [r for r in data() if r.time >= of.moment.time and r.action == "list"]
    old = {row.user for row in data() if row.time < of.moment.time}
    lists = {(row.user, row.time) for row in test}
    assert (found["rows"], found["requests"]) == (len(test), len(lists))
    assert found["users"] == len({row.user for row in test})
    assert found["new_users"] == len({row.user for row in test} - old)
    assert found["positives/click"] == sum(row.click for row in test)
    assert found["requests_with_target"] == len({(row.user, row.time) for row in test if row.click})
    windows = populations(of.config, TIME, of.log)
    assert windows["tiny@1/test"] == found and table(windows).row_count == 2
    assert positives(windows)[1].startswith(f"test: positive are click {found['positives/click']}, buy ")


def rows_only(how: object, users: bool = False, window: str = "test", **columns: list) -> World:
    """A table of 400 rows without requests, times or items."""
    draw = np.random.default_rng(1)
    made = {"x": draw.choice(["a", "b"], 400), "y": draw.integers(0, 2, 400), **columns}
    if users:
        made["user_id"] = [f"u{i % 7}" for i in range(400)]
    roles = SchemaConfig(
        context={"x": FeatureConfig("categorical")},
        behaviours={"row": BehaviourConfig(kind="exposure"), "yes": BehaviourConfig("y == 1")},
    )
    log = Log.of(pa.table(made | {"time": np.zeros(400, np.int64)}))
    protocol = ProtocolConfig(ShownConfig("shown"), "rows", split=how, window=window)  # type: ignore[arg-type]
    return World(DatasetConfig(roles, canonical="0" * 64, name="rows", clock="none"), protocol, log)


@pytest.mark.parametrize("users", [True, False])
def test_a_table_of_rows_is_one_list_for_each_row(users: bool, tmp_path: Path) -> None:
    of = rows_only(RANDOM.split, users)
    train, test = rows(of)
    assert len(train) + len(test) == 400 and (test.sizes == 1).all()
    assert (train.requests.end == of.events.offsets[train.requests.row]).all(), "no time, no history"
    protocol = of.protocol
    # The last batch has one row.
    size = (len(train) - 1) // 2
    measured, counted = runner(tmp_path, of).run(spec("rank/dcn_v2", protocol, batch_size=size), tmp_path)
    assert ("gauc/yes" in measured.metrics) == users and "mrr/yes" not in measured.metrics
    assert "auc/yes" in measured.metrics and counted["leaky"] == 1.0


def test_a_published_split_is_taken_as_it_is() -> None:
    parts = [(0, 0, 0, 1, 2)[i % 5] for i in range(400)]
    for window, sizes in (("test", [320, 80]), ("validation", [240, 80])):
        of = rows_only(FixedSplit("fixed"), window=window, split=parts)
        assert [len(shown) for shown in rows(of)] == sizes


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="candidates that were shown cannot be split by leave_one_out"):
        replace(TIME, split=LeaveOneOut("leave_one_out"))
    with pytest.raises(
        UserError, match=r"candidates.behaviour: the dataset has no behaviour 'lsited' \(did you"
    ):
        rows(world(replace(TIME, candidates=ShownConfig("shown", "lsited"))))
    with pytest.raises(UserError, match="protocol tiny@1/test: no row that was shown is for training"):
        rows(world(replace(TIME, candidates=ShownConfig("shown", "never"))))


def test_roles_of_what_was_shown_are_columns_that_recall_does_not_see() -> None:
    of = world()
    assert {"position", "price"}.isdisjoint(f.name for f in of.snapshot().schema)
    assert {f.name for f in of.encoder.shown_features()} == {"position", "price"}
    assert type(of.encoder).from_json(of.encoder.to_json()) == of.encoder
    assert ROLES.shown["price"].transform == "log"


LOG = """visitor,sku,ts,list,rank,price,click
u1,a,1600000000,l1,1,10,0
u1,b,1600000000,l1,2,,1
u2,a,1600000600,,,5.5,0
"""


def test_columns_of_what_was_shown_are_read_from_files_and_a_position_stays_a_number() -> None:
    columns = {"user_id": "visitor", "item_id": "sku", "time": "ts", "request_id": "list", "position": "rank"}
    roles = SchemaConfig(
        shown={name: ROLES.shown[name] for name in ("position", "price")},
        behaviours={"show": BehaviourConfig(kind="exposure"), "click": BehaviourConfig("click == 1")},
    )
    config = DatasetConfig(roles, events=TableConfig(["log.csv"], columns=columns, time="seconds"))
    made = assembled(config, None, {"log.csv": LOG.encode()}, Report())
    assert made.events["position"].to_pylist() in ([1, 2, None], [2, 1, None])
    events = Events.of(made, roles)
    assert events.past(torch.arange(3)).tolist() == [0, 0, 2]
    encoder = Encoder.fit(made, roles, torch.arange(2))
    assert encoder.vocabularies["position"] == ("1", "2")
    assert encoder.shown(made)["position"].tolist()[2] == 0
    assert torch.isfinite(encoder.shown(made)["price"]).all()


def test_times_of_a_set_without_a_clock_order_nothing() -> None:
    table = pa.table({"user_id": ["u"] * 3, "item_id": ["a", "b", "c"], "time": [-1, 5, 3], "y": [0, 1, 1]})
    made = assembled(DatasetConfig(SchemaConfig(), clock="none"), {"events": table}, {}, Report())
    assert made.events["time"].to_pylist() == [0, 0, 0]


def test_a_column_that_was_shown_and_tells_the_label_is_a_leak() -> None:
    draw = np.random.default_rng(0)
    click = draw.integers(0, 2, 400)
    price = np.where(click, 7.0, draw.integers(10, 90, 400))
    roles = SchemaConfig(
        shown={"price": ROLES.shown["price"], "position": ROLES.shown["position"]},
        behaviours={"show": BehaviourConfig(kind="exposure"), "click": BehaviourConfig("click == 1")},
    )
    columns = {"user_id": draw.choice(["u", "v"], 400), "time": np.arange(400) + START, "click": click}
    made = Log.of(pa.table({**columns, "price": price, "position": draw.integers(1, 9, 400)}))
    flags = {name: flag.numpy() for name, flag in flags_of(made.events, roles).items()}
    found = list(leaks(made, DatasetConfig(roles), flags))
    assert len(found) == 1 and found[0].startswith("shown.price equals click")

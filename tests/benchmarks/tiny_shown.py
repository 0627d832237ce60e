"""A small log of lists that were shown, as plain rows and as a dataset under a protocol."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tiny_world import entry

from benchmarks.components import Components
from benchmarks.datasets import DatasetConfig
from benchmarks.fit import Artifacts
from benchmarks.plan import RunSpec
from benchmarks.protocols import ProtocolConfig, ShownConfig
from benchmarks.run import Runner
from benchmarks.split_configs import RandomSplit, TimeSplit
from benchmarks.world import World
from zoo.core.check import to_plain
from zoo.data.log import Log
from zoo.data.roles import BehaviourConfig, FeatureConfig, SchemaConfig

USERS, ITEMS, REQUESTS, START = 12, 20, 150, 1_000_000_000
ROLES = SchemaConfig(
    user={"age": FeatureConfig("numeric", bins=3)},
    item={"brand": FeatureConfig("categorical"), "size": FeatureConfig("numeric", transform="none")},
    context={"device": FeatureConfig("categorical")},
    shown={
        "position": FeatureConfig("categorical"),
        "price": FeatureConfig("numeric", transform="log"),
    },
    behaviours={
        "show": BehaviourConfig(kind="exposure"),
        "listed": BehaviourConfig("action == 'list'", kind="exposure"),
        "click": BehaviourConfig("click == 1", given="listed"),
        "buy": BehaviourConfig("buy == 1", given="click"),
        "never": BehaviourConfig("click == 2"),
        "stay": BehaviourConfig(kind="explicit", value="stay", given="click"),
    },
)
TIME = ProtocolConfig(ShownConfig("shown", "listed"), "tiny", split=TimeSplit(), history_length=8)
RANDOM = replace(TIME, split=RandomSplit("random"))


@dataclass(frozen=True)
class Row:
    """One event; `request` is empty for a visit outside of lists."""

    user: str
    item: str
    time: int
    request: str
    action: str
    position: int | None
    price: float | None
    click: int
    buy: int
    stay: float | None
    device: str


@cache
def data(requests: int = REQUESTS) -> tuple[Row, ...]:
    """Lists of one to five items, cheaper and higher ones clicked more often, and visits between them."""
    draw, rows = np.random.default_rng(0), []
    for number in range(requests):
        user, time = f"u{draw.integers(USERS):02}", START + 1000 * number
        device = ("phone", "web")[draw.integers(2)]
        if number % 5 == 0:
            item = f"i{draw.integers(ITEMS):02}"
            rows.append(Row(user, item, time - 500, "", "visit", None, None, 0, 0, None, device))
        items = draw.permutation(ITEMS)[: draw.integers(1, 6)]
        for place, item in enumerate(items):
            price = float(draw.integers(1, 100))
            click = int(draw.random() < 0.6 - 0.1 * place - 0.002 * price)
            buy = int(click and draw.random() < 0.5)
            stay = float(draw.integers(1, 60)) if click else None
            shown = (f"r{number}", "list", place + 1, price)
            rows.append(Row(user, f"i{item:02}", time, *shown, click, buy, stay, device))
    return tuple(rows)


def log(rows: tuple[Row, ...], ids: bool = True) -> Log:
    """The rows as a log, with or without request ids."""
    events = {name: [getattr(row, name) for row in rows] for name in Row.__dataclass_fields__}
    events["user_id"], events["item_id"] = events.pop("user"), events.pop("item")
    request = events.pop("request")
    if ids:
        events["request_id"] = [name or None for name in request]
    users = {"user_id": [f"u{u:02}" for u in range(USERS)], "age": [20 + u for u in range(USERS)]}
    items = {
        "item_id": [f"i{i:02}" for i in range(ITEMS)],
        "brand": ["abc"[i % 3] for i in range(ITEMS)],
        "size": [float(i) for i in range(ITEMS)],
    }
    return Log.of(pa.table(events), pa.table(users), pa.table(items))


def world(protocol: ProtocolConfig = TIME, rows: tuple[Row, ...] | None = None, ids: bool = True) -> World:
    config = DatasetConfig(ROLES, canonical="0" * 64, name="tiny")
    return World(config, protocol, log(data() if rows is None else rows, ids))


def spec(model: str, protocol: ProtocolConfig = TIME, **fit: Any) -> RunSpec:
    made = entry(model)
    config = {**made, "fit": {**made["fit"], **fit}, "dataset": "tiny", "protocol": to_plain(protocol)}
    return RunSpec(model, model, model.split("/")[0], 0, {**config, "entries": {}}, "x")


def runner(folder: Path, of: World) -> Runner:
    return Runner(of, Components(of, Artifacts(folder / "artifacts"), "0" * 64))

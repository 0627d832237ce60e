"""What logs look like from afar, the simulated one and real ones: how skewed, how long, how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.datasets.simulated import Simulated
from benchmarks.datasets.simulated.topics import DAY, START

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Marginals:
    """What is compared of a log.

    Attributes:
        name: Of the log and its event.
        colour: Which of a theme's.
        per_item: Events of each item that has some.
        per_user: Events of each user who has some.
        per_session: Events of each session, where there are sessions.
        by_position: Clicks at a position relative to the first one, where there are positions.
        numbers: What the table says of it.
    """

    name: str
    colour: int
    per_item: Array
    per_user: Array
    per_session: Array | None = None
    by_position: Array | None = None
    numbers: dict[str, str] = field(default_factory=dict)


def simulated(world: Simulated) -> list[Marginals]:
    """Its exposures and its clicks."""
    events, clicks = world.events, world.events.filter(pc.equal(world.events["click"], 1))
    position, click = events["position"].to_numpy(), events["click"].to_numpy()
    rate = np.array([click[position == place].mean() for place in np.unique(position)])
    sessions = counts(events["session_id"])
    shown = Marginals(
        "simulated, exposures",
        0,
        counts(events["item_id"]),
        counts(events["user_id"]),
        sessions,
        rate / rate[0],
        skew(counts(events["item_id"]), counts(events["user_id"]), sessions)
        | {"filled at random": percent(pc.mean(events["explored"]).as_py())},
    )
    per_item, per_user = counts(clicks["item_id"]), counts(clicks["user_id"])
    clicked = Marginals("simulated, clicks", 1, per_item, per_user, numbers=skew(per_item, per_user))
    return [shown, clicked]


def own_numbers(world: Simulated) -> dict[str, str]:
    """What only a log with exposures and several outcomes has."""
    events, clicks = world.events, world.events.filter(pc.equal(world.events["click"], 1))
    tasks = ("finish", "like", "collect", "comment", "share", "follow")
    rates = {f"{task} per click": percent(pc.mean(clicks[task]).as_py()) for task in tasks}
    new_items = world.items["published"].to_numpy() >= START
    last = pc.greater_equal(events["time"], START + 23 * DAY)
    shown = pc.index_in(events["item_id"].filter(last), world.items["item_id"].combine_chunks())
    return {
        "clicks per exposure": percent(pc.mean(events["click"]).as_py()),
        **rates,
        "seconds per click": f"{pc.mean(clicks['play_seconds']).as_py():.0f}",
        "users who are new": percent((world.users["registered"].to_numpy() >= START).mean()),
        "items that are new": percent(new_items.mean()),
        "exposures of new items in the last week": percent(new_items[np.asarray(shown)].mean()),
    }


def movielens(folder: Path) -> Marginals:
    """ml-1m: how often films are rated, and by whom."""
    ratings = pq.read_table(folder / "ratings_partial_timestamps.parquet", columns=["user_id", "movie_id"])
    per_item, per_user = counts(ratings["movie_id"]), counts(ratings["user_id"])
    return Marginals("ml-1m, ratings", 2, per_item, per_user, numbers=skew(per_item, per_user))


def trivago(folder: Path) -> Marginals:
    """Click-outs to hotels; sessions in steps of any kind."""
    columns = ["user_id", "session_id", "action_type", "reference", "impressions"]
    steps = pq.read_table(folder / "trivago_val_100k.parquet", columns=columns)
    out = steps.filter(pc.equal(steps["action_type"], "clickout item"))
    per_item, per_user = counts(out["reference"]), counts(out["user_id"])
    session = pc.binary_join_element_wise(steps["user_id"], steps["session_id"], " ")
    shown = pc.split_pattern(out["impressions"], "|")
    row, item = pc.list_parent_indices(shown), pc.list_flatten(shown)
    place = np.asarray(pc.list_value_length(shown))
    position = np.arange(len(item)) - np.repeat(np.cumsum(place) - place, place)
    hit = np.asarray(pc.equal(item, out["reference"].combine_chunks().take(row.combine_chunks())))
    rate = np.array([hit[position == at].mean() for at in range(25)])
    numbers = skew(per_item, per_user, counts(session))
    return Marginals("trivago, click-outs", 3, per_item, per_user, counts(session), rate / rate[0], numbers)


def kuairand() -> dict[str, str]:
    """KuaiRand-27K from the table of its README: only what follows from published sizes."""
    users, items, events = 27_285, 32_038_725, 322_278_385
    return {
        "events": f"{events:,}",
        "users": f"{users:,}",
        "items": f"{items:,}",
        "events per user, mean": f"{events / users:,.0f}",
        "events per item, mean": f"{events / items:.0f}",
        "filled at random": "0.37 %",
    }


def counts(values: pa.ChunkedArray) -> Array:
    """How often each value is there, most often first."""
    return np.sort(pc.value_counts(values).field("counts").to_numpy())[::-1]


def percent(share: float) -> str:
    """With a decimal."""
    return f"{100 * share:.1f} %"


def gini(found: Array) -> float:
    """0 where all have the same, 1 where one has all."""
    rank = np.arange(1, len(found) + 1)
    return float(1 + 1 / len(found) - 2 * (rank * np.sort(found)[::-1]).sum() / (len(found) * found.sum()))


def skew(per_item: Array, per_user: Array, per_session: Array | None = None) -> dict[str, str]:
    """The numbers that any log has."""
    head = per_item[: max(round(len(per_item) / 100), 1)].sum() / per_item.sum()
    numbers = {
        "events": f"{per_item.sum():,}",
        "users": f"{len(per_user):,}",
        "items": f"{len(per_item):,}",
        "events per user, mean": f"{per_user.mean():,.0f}",
        "events per user, median": f"{np.median(per_user):.0f}",
        "events per item, mean": f"{per_item.mean():.0f}",
        "events of the top 1 % of items": percent(head),
        "Gini, items": f"{gini(per_item):.2f}",
        "Gini, users": f"{gini(per_user):.2f}",
    }
    if per_session is not None:
        numbers["session, median"] = f"{np.median(per_session):.0f}"
        numbers["session, 90th percentile"] = f"{np.quantile(per_session, 0.9):.0f}"
    return numbers

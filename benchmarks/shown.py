"""Requests as logged: what models after recall are trained and judged on where a protocol says `shown`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.protocols import ShownConfig
from benchmarks.world import World, seeded
from zoo.core.errors import UserError, did_you_mean
from zoo.core.schema import Schema
from zoo.data.shown import Shown
from zoo.data.snapshot import DAY, Snapshot, numeric
from zoo.data.views import ShownView
from zoo.funnel import FeatureJoin
from zoo.funnel.features import crosses, returns

SAMPLE = 2048
"""Requests from which the scale of crosses is learned."""


@dataclass(frozen=True)
class ShownData:
    """Requests as logged, for training and those that are measured.

    Attributes:
        schema: Of the snapshot, without statistics as of its cut; with crosses and what was shown of an item.
        train: All before the measured window, or the part for training.
        test: The measured ones.
    """

    schema: Schema
    train: ShownView
    test: ShownView

    @classmethod
    def of(cls, world: World) -> ShownData:
        """The rows of a world."""
        snapshot, choice = world.snapshot(), world.config.schema.choice
        columns = world.encoder.shown(world.log)
        schema = shown_schema(snapshot)
        views = [
            ShownView(snapshot, shown, columns, join_of(snapshot, schema, choice)) for shown in rows(world)
        ]
        return cls(scaled(schema, views[0]), *views)


def rows(world: World) -> tuple[Shown, Shown]:
    """The requests for training, and the measured ones.

    Raises:
        UserError: The protocol names a behaviour that the dataset lacks, or a side has no row.
    """
    events, start, stop = world.events, world.moment.stop, world.split.until()
    counts = events.flags[_behaviour(world)]
    train, until = events.known(start), events.known(stop)
    sides = {"for training": train & counts, "measured": until & ~train & counts}
    for side, mask in sides.items():
        if not mask.any():
            raise UserError(f"protocol {world.protocol.label}: no row that was shown is {side}")
    one, other = (shown_where(world, mask) for mask in sides.values())
    return one, other


def rows_after(world: World) -> Shown:
    """The requests after the measured window: where that is for validation, those of the test."""
    events = world.events
    return shown_where(world, ~events.known(world.split.until()) & events.flags[_behaviour(world)])


def shown_where(world: World, mask: Tensor) -> Shown:
    """The requests of the events where `mask` `(E,)`."""
    # Without ids, times and users nothing tells which rows belong to one request.
    named = "request_id" in world.log.events.column_names
    together = named or not (world.events.nameless or world.config.clock == "none")
    index = mask.nonzero().squeeze(1)
    return Shown.of(world.events, index, world.split.past(index), together)


def shown_schema(snapshot: Snapshot) -> Schema:
    """The snapshot's features but for the statistics of its catalogue, which counted each row's own label.

    Unlike what recall finds, what was shown may have been seen before, and that says most of all.
    """
    stale = [f.name for f in snapshot.schema.having("item_stat") if f.name in snapshot.catalogue]
    base = snapshot.schema.leaving_out(stale)
    return base.extended(*crosses(base), *returns(base), *snapshot.encoder.shown_features())


def join_of(snapshot: Snapshot, schema: Schema, choice: str) -> FeatureJoin:
    """What is known of the items of a request: static features, crosses, and statistics as of the request.

    Those as of the cut have counted each row of training.
    """
    static = {f.name: snapshot.catalogue[f.name] for f in schema.having("item_id", "item")}
    return FeatureJoin(static, schema, choice, snapshot.live)


def scaled(schema: Schema, train: ShownView) -> Schema:
    """The schema with the scale of its crosses in a sample of the rows for training."""
    index = torch.randperm(len(train), generator=seeded(0))[:SAMPLE]
    batch = train.batch(index)
    mask = batch["item_id"] > 0
    found = {f.name: numeric(f.name, f.role, batch[f.name][mask], f.of) for f in schema.having("cross")}
    return Schema(tuple(found.get(f.name, f) for f in schema), schema.tasks)


def population(world: World) -> dict[str, float]:
    """Who is measured: requests and their rows, positives of each task, users who did nothing before."""
    train, test = rows(world)
    events, requests, schema = world.events, test.requests, world.config.schema
    users = requests.row.unique()
    new = users[world.moment.stop[users] == events.offsets[users]]
    chosen = _per_request(test, events.flags[schema.choice])
    from_new = torch.isin(requests.row, new)
    found = {
        "requests": len(test),
        "requests_with_target": int((chosen > 0).sum()),
        "users": len(users),
        "new_users": len(new),
        "new_users_with_target": len(requests.row[from_new & (chosen > 0)].unique()),
        "rows": len(test.event),
        "targets": int(chosen.sum()),
        "targets_per_request": round(float(chosen[chosen > 0].float().mean().nan_to_num()), 3),
        "training_requests": len(train),
        "training_rows": len(train.event),
        "leaky": float(bool(world.protocol.leak)),
    }
    if events.nameless:
        found |= {"users": len(test), "new_users": 0, "new_users_with_target": 0}
    found |= {f"positives/{name}": int(events.flags[name][test.event].sum()) for name in schema.tasks}
    if world.config.clock == "seconds":
        span = requests.time.max() - requests.time.min()
        found["span_days"] = round(float(span) / DAY, 2)
    return found


def _per_request(shown: Shown, flag: Tensor) -> Tensor:
    """`(N,)` events of a behaviour in each request."""
    total = torch.cat([torch.zeros(1, dtype=torch.int64), flag[shown.event].cumsum(0)])
    return total[shown.offsets].diff()


def _behaviour(world: World) -> str:
    config, behaviours = world.protocol.candidates, world.config.schema.behaviours
    assert isinstance(config, ShownConfig)
    name = config.behaviour or world.config.schema.base
    if name not in behaviours:
        near = did_you_mean(name, behaviours)
        where = f"protocol {world.protocol.name}: candidates.behaviour"
        raise UserError(f"{where}: the dataset has no behaviour {name!r}{near}")
    return name

"""Hard negatives of a recall model: what the later stages of a funnel turned down in windows before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from benchmarks.splits import Moment
from benchmarks.world import World, seeded
from zoo.bundle import build_funnel, entries_of
from zoo.core.check import to_plain
from zoo.core.errors import UserError
from zoo.core.topk import is_member
from zoo.core.types import Candidates, Request
from zoo.data.hard import HardView
from zoo.data.negatives import choose
from zoo.data.split import Requests, padded
from zoo.data.store import Store
from zoo.data.views import EventView, View
from zoo.funnel import Funnel, Trace

if TYPE_CHECKING:
    from benchmarks.components import Components

CHUNK = 256
"""Requests that go through the funnel at once."""


@dataclass(frozen=True)
class HardMaker:
    """Sends the requests of earlier windows through a funnel with its models as of each window's start.

    What pre-rank or rank turned down fits the user well enough to be recalled, but not to be shown. In the
    first window there is nothing yet that those stages could have been trained on: negatives begin with the
    second.

    Attributes:
        components: Fits the funnel's models, or finds them.
        hard: The entry's `hard`, resolved.
        seed: Of the models and of the draw.
    """

    components: Components
    hard: Mapping[str, Any]
    seed: int

    def view(self, view: View, events: EventView, moment: Moment | None = None) -> HardView:
        """Training rows with the negatives of their user in their window.

        Args:
            view: The rows, one for each of the events, in their order.
            events: What is known at the moment.
            moment: By default the start of the measured window.

        Raises:
            UserError: There are fewer than two windows before it.
        """
        world = self.components.world
        moment = moment or world.moment
        windows = [*world.split.earlier(), (world.moment, world.requests)]
        number = [one.name for one, _ in windows].index(moment.name)
        if number < 2:
            raise UserError(
                "hard negatives come from windows before the measured one, of which the later stages are "
                f"trained on the first: expected at least 2 before {moment.name}, found {number}"
            )
        asked = events.requests
        row, tables = torch.zeros(len(asked), dtype=torch.int64), [torch.zeros(1, self.hard["per_request"])]
        for (now, requests), (after, _) in pairwise(windows[1 : number + 1]):
            place = torch.zeros(len(now.stop), dtype=torch.int64)
            place[requests.row] = sum(map(len, tables)) + torch.arange(len(requests))
            inside = (asked.end >= now.stop[asked.row]) & (asked.end < after.stop[asked.row])
            row = torch.where(inside, place[asked.row], row)
            tables.append(self.turned_down(now, requests, _everything(world, requests, moment)))
        schema = events.snapshot.schema
        names = [feature.name for feature in schema.having("item_id", "item")]
        return HardView(view, torch.cat(tables).long(), row, events.snapshot.catalogue, names)

    def turned_down(self, moment: Moment, requests: Requests, exclude: Tensor) -> Tensor:
        """`(N, per_request)` item ids of each request, an equal share from every stage.

        Args:
            moment: What the funnel's models may know.
            requests: Later than that.
            exclude: `(N, S)` item ids that are no negatives.
        """
        world, funnel = self.components.world, self._funnel(moment)
        request, generator = world.request(requests, moment), seeded(self.seed)
        stages, total, parts = self.hard["stages"], self.hard["per_request"], []
        shares = [total // len(stages) + (i < total % len(stages)) for i in range(len(stages))]
        for rows in torch.arange(len(requests)).split(CHUNK):
            trace = Trace()
            funnel(Request({name: x[rows] for name, x in request.features.items()}), trace=trace)
            lowest = [
                _lowest(trace, stage, count, exclude[rows], generator)
                for stage, count in zip(stages, shares, strict=True)
            ]
            parts.append(torch.cat(lowest, dim=1))
        return torch.cat(parts) if parts else torch.zeros(0, total, dtype=torch.int64)

    def _funnel(self, moment: Moment) -> Funnel:
        made_of = self.hard["made_of"]
        config = {**made_of, "protocol": self._protocol()}
        names = dict.fromkeys(entries_of(made_of["stages"]))
        models = {name: self.components.of_funnel(name, config, self.seed, moment) for name in names}
        return build_funnel(made_of["stages"], models, Store.of(self.components.world.snapshot(moment)))

    def _protocol(self) -> Any:
        return to_plain(self.components.world.protocol)


def _lowest(trace: Trace, stage: str, count: int, exclude: Tensor, generator: torch.Generator) -> Tensor:
    """`(B, count)` what a stage turned down: some of those it dropped, else those it put last."""
    names: Sequence[str] = list(trace.candidates)
    before, after = (trace.candidates[names[names.index(stage) + i]].ids for i in (-1, 0))
    dropped = choose(before.masked_fill(is_member(before, after), 0), count, exclude, generator)
    last = after.masked_fill(is_member(after, exclude), 0).flip(1)
    return Candidates.of(torch.cat([dropped, last], dim=1)).compact(count).ids


def _everything(world: World, requests: Requests, moment: Moment) -> Tensor:
    """`(N, S)` all that the users of requests did before a moment, also after they asked."""
    return padded(world.events.item, world.events.offsets[requests.row], moment.stop[requests.row])

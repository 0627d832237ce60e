"""`Snapshot`: a log as seen at one moment in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from zoo.core.schema import Feature, Role, Schema, Task
from zoo.core.topk import without_repeats
from zoo.core.types import Batch
from zoo.data.encode import Encoder, name_of
from zoo.data.log import Log
from zoo.data.past import aged, happened
from zoo.data.split import Events, Requests, every_event, padded
from zoo.data.statistics import PRIOR_EVENTS, Statistics
from zoo.data.values import widened
from zoo.data.windows import KEY, NOW

DAY = 86400
RECENT_DAYS = (30, 7)
SAMPLE = 100_000
"""Events whose statistics give the scale of these."""


@dataclass(frozen=True)
class Snapshot:
    """Everything known at a cut in time, and nothing of what came later.

    Statistics are as of each request instead: they know what anybody did strictly before it.

    Attributes:
        events: All events; only those before `cut` shape the encoder, the catalogue and the rates.
        users: Profile features of every user row, `(U, …)`.
        moments: Context features of every event that the log itself gives, `(E,)`, ids as `narrowed`.
        encoder: Vocabularies and bins, fitted before the cut.
        catalogue: Features of every item, `(n_items + 1, …)`, statistics as of the cut.
        rates: Overall share of every labelled behaviour before the cut.
        schema: The features that `requests` and `catalogue` hold.
        cut: Seconds since 1970 UTC; ages and recent counts are as of it.
        stop: `(U,)` end of each user's events that are known, by default those before the cut.
        history_length: Events kept in the histories of a request.
        happened: Features of every event that histories hold, `(E + 1,)`, 0 in front for padding.
        statistics: Counts and rates as of any moment, None where the dataset asks for none.
    """

    events: Events
    users: Batch
    moments: Batch
    encoder: Encoder
    catalogue: Batch
    rates: dict[str, float]
    schema: Schema
    cut: int
    stop: Tensor
    history_length: int
    happened: Batch = field(default_factory=dict)
    statistics: Statistics | None = None

    @classmethod
    def at(
        cls,
        log: Log,
        events: Events,
        encoder: Encoder,
        cut: int,
        history_length: int = 200,
        stop: Tensor | None = None,
        statistics: Statistics | None = None,
    ) -> Snapshot:
        """The world at `cut`; `encoder` must have been fitted no later, or for the same catalogue.

        Snapshots of the same events and encoder can share their `statistics`, which none cuts.
        """
        stop = events.before(cut) if stop is None else stop
        table = {name: log.users[name] for name in log.users.column_names}
        users = encoder.user_features(table, log.users.num_rows)
        moments = encoder.moments(log)
        past = events.known(stop)
        tasks = encoder.roles.tasks
        labels = [name for name in tasks if name != encoder.roles.base]
        shares = {name: events.flags[name][past].float().mean() for name in labels}
        rates = {name: float(share.nan_to_num(0.5)) for name, share in shares.items()}
        catalogue = encoder.catalogue(log) | _item_statistics(events, past, cut, rates, len(encoder.items))
        parts = (events, users, moments, encoder, catalogue, rates, Schema(()), cut, stop, history_length)
        statistics = statistics or Statistics.asked(encoder.roles, events, catalogue)
        snapshot = cls(*parts, happened(encoder, log), statistics)
        schema = Schema(snapshot._features(), tuple(Task(*task) for task in tasks.items()))
        return Snapshot(**{**vars(snapshot), "schema": schema})

    @property
    def live(self) -> Callable[[Batch, Tensor], Batch] | None:
        """From features of requests and `(B, K)` ids to statistics of candidates; None if there are none."""
        return partial(self.statistics.live, self.catalogue) if self.statistics else None

    def requests(self, requests: Requests, length: int | None = None, known: Batch | None = None) -> Batch:
        """`(N, …)` request-level features: profile, clock, statistics of the history, histories.

        Args:
            requests: Whose features.
            length: Of the histories, where fewer events are needed than the schema's.
            known: What `as_of` gives for these requests, if it is there already.
        """
        batch = {name: values[requests.row] for name, values in self.users.items()}
        batch |= self.encoder.clock(requests.time)
        batch |= {name: widened(values[requests.first]) for name, values in self.moments.items()}
        batch |= self._statistics(requests)
        batch |= self.as_of(requests) if known is None else known
        batch |= {NOW: requests.time, KEY: self._key(requests)} if self.statistics else {}
        for name in self.encoder.roles.histories:
            batch[f"history:{name}"] = self.history(requests, name, length or self.history_length)
            batch |= self.of_history(requests, name, length or self.history_length)
        return aged(self.encoder, batch, requests.time)

    def as_of(self, requests: Requests) -> Batch:
        """`(N,)` statistics of the users as of the requests, none where the dataset asks for none."""
        return self.statistics.user(self._key(requests), requests.time) if self.statistics else {}

    def _key(self, requests: Requests) -> Tensor:
        """`(N,)` whose statistics: nobody's where the log names no user and has all events in one row."""
        return torch.full_like(requests.row, -1) if self.events.nameless else requests.row

    def of_history(self, requests: Requests, behaviour: str, length: int) -> Batch:
        """`(N, length)` features of each event of a history, and `time:<behaviour>` where ages need it."""
        if not self.happened:
            return {}
        first, last, _ = self.ranges(behaviour, self.events.offsets[requests.row], requests.end)
        place = padded(self.events.places[behaviour], first, last, length, newest=True)
        names = {key: name_of(key, behaviour) for key in self.happened} | {"time": f"time:{behaviour}"}
        return {names[key]: values[place] for key, values in self.happened.items()}

    def history(self, requests: Requests, behaviour: str, length: int | None = None) -> Tensor:
        """`(N, length)` item ids of a behaviour before each request, newest first; all without a length."""
        start, stop, items = self.ranges(behaviour, self.events.offsets[requests.row], requests.end)
        return padded(items, start, stop, length, newest=True)

    def answers(self, requests: Requests, behaviour: str) -> Tensor:
        """`(N, T)` distinct item ids of a behaviour from each request on, padded with 0."""
        start, stop, items = self.ranges(behaviour, requests.first, requests.stop)
        ids = without_repeats(padded(items, start, stop))
        return ids.gather(1, (ids == 0).int().argsort(dim=1, stable=True))

    def count(self, requests: Requests, behaviour: str) -> Tensor:
        """`(N,)` events of a behaviour before each request."""
        start, stop, _ = self.ranges(behaviour, self.events.offsets[requests.row], requests.end)
        return stop - start

    def ranges(self, behaviour: str, start: Tensor, stop: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Ranges of all events as ranges of one behaviour's, `(N,)` each, and the items of the latter."""
        before, items = self.events.compact[behaviour]
        return before[start], before[stop], items

    def _statistics(self, requests: Requests) -> Batch:
        first = self.events.offsets[requests.row]
        count = requests.end - first
        last = self.events.time[(requests.end - 1).clamp(min=0)]
        gap = torch.where(count > 0, requests.time - last, -1)
        positive = {name: self.count(requests, name) for name in self.rates}
        return history_statistics(count, positive, gap, self.rates)

    def _features(self) -> tuple[Feature, ...]:
        """The encoder's features and the numeric statistics, with the scale of the latter before the cut."""
        requests = every_event(self.events, self.stop)
        seen = self._statistics(requests)
        own = self.encoder.roles.item  # whose numbers are features already
        item = {n: x[1:] for n, x in self.catalogue.items() if x.is_floating_point() and n not in own}
        return (
            *self.encoder.features(self.history_length),
            *(numeric(name, "user", x) for name, x in seen.items()),
            *(numeric(name, "item_stat", x) for name, x in item.items()),
            *self._as_of_features(requests),
        )

    def _as_of_features(self, requests: Requests) -> tuple[Feature, ...]:
        """The statistics with their scale in a seeded sample of the requests."""
        if self.statistics is None or self.live is None:
            return ()
        if len(requests) > SAMPLE:
            drawn = torch.randperm(len(requests), generator=torch.Generator().manual_seed(0))[:SAMPLE]
            requests = requests.take(drawn.sort().values)
        asked = {NOW: requests.time, KEY: self._key(requests)}
        seen = self.as_of(requests) | self.live(asked, self.events.item[requests.stop - 1, None])
        return tuple(numeric(name, role, seen[name], of) for name, role, of in self.statistics.features)


def numeric(name: str, role: Role, values: Tensor, of: str = "") -> Feature:
    """A numeric feature scaled by the finite `values` seen."""
    values = values[values.isfinite()].double()
    mean, std = (float(values.mean()), float(values.std(correction=0))) if len(values) else (0.0, 1.0)
    return Feature(name, role, "numeric", of=of, mean=mean, std=max(std, 1e-6))


def history_statistics(
    count: Tensor, positive: dict[str, Tensor], gap: Tensor, rates: dict[str, float]
) -> Batch:
    """`(N,)` statistics of a history, the same for a log and for a bare request.

    Args:
        count: `(N,)` events in the history.
        positive: `(N,)` events of each labelled behaviour.
        gap: `(N,)` seconds since the newest event, negative where not known.
        rates: Overall share of each labelled behaviour, the prior of the user's own.
    """
    batch = {"history_size": count.float().log1p(), "gap": gap.clamp(min=0).float().log1p()}
    for name, rate in rates.items():
        batch[f"user_rate:{name}"] = (positive[name] + PRIOR_EVENTS * rate) / (count + PRIOR_EVENTS)
    return batch


def _item_statistics(events: Events, past: Tensor, cut: int, rates: dict[str, float], n_items: int) -> Batch:
    """`(n_items + 1,)` popularity and smoothed rates of every item over the `past` events.

    Popularity is log(1 + count / mean count), which does not drift as the log grows.
    """

    def count(mask: Tensor) -> Tensor:
        return torch.bincount(events.item[mask], minlength=n_items + 1).float()

    def popularity(counts: Tensor) -> Tensor:
        return (counts * n_items / counts.sum().clamp(min=1)).log1p()

    total = count(past)
    batch = {"count": popularity(total)}
    for days in RECENT_DAYS:
        batch[f"count_{days}d"] = popularity(count(past & (events.time >= cut - days * DAY)))
    for name, rate in rates.items():
        positive = count(past & events.flags[name])
        batch[f"rate:{name}"] = (positive + PRIOR_EVENTS * rate) / (total + PRIOR_EVENTS)
    return batch

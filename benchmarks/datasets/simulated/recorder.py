"""Keeps what happened until the world has ended, then puts it in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from benchmarks.datasets.simulated.life import Pages
from benchmarks.datasets.simulated.policy import CHANNELS
from benchmarks.datasets.simulated.sessions import DEVICES, NETWORKS, Sessions
from benchmarks.datasets.simulated.topics import Array
from benchmarks.datasets.simulated.truth import WEIGHTS, Moments

OUTCOMES = ("click", "finish", *WEIGHTS)


class Recorder:
    """Pages in columns: of requests one value a page, of exposures one value an item.

    Args:
        pages: What happens, taken to its end.
        sessions: Of the world.
    """

    def __init__(self, pages: Iterable[Pages], sessions: Sessions) -> None:
        self.sessions = sessions
        tall: dict[str, list[Array]] = {}
        wide: dict[str, list[Array]] = {}
        for page in pages:
            _append(tall, _of_requests(page))
            _append(wide, _of_exposures(page))
        self._tall = {name: np.concatenate(tall.pop(name)) for name in list(tall)}
        self._wide = {name: np.concatenate(wide.pop(name)) for name in list(wide)}
        # By time, then user; a user never has two requests at a time.
        self._order = np.lexsort((self._tall["user"], self._tall["time"]))
        self._place = _ragged(self._tall["count"], self._order)
        self._request = np.repeat(np.arange(len(self._order)), self._tall["count"][self._order])

    def moments(self) -> Moments:
        """Of all requests, in the order of their ids."""
        session = self._of_request("session")
        return Moments(
            self._of_request("user"),
            self._of_request("time"),
            self._of_request("mood"),
            self.sessions.device[session],
            self.sessions.network[session],
        )

    def tables(self, users: pa.Array, items: pa.Array) -> tuple[pa.Table, pa.Table]:
        """The events, and the oracle's table with the same rows in the same order.

        Args:
            users: Their ids.
            items: Their ids.
        """
        session = self._of_request("session")[self._request]
        keys = {
            "user_id": users.take(pa.array(self._of_request("user")[self._request])),
            "item_id": items.take(pa.array(self._of_exposure("item"))),
            "time": pa.array(self._of_request("time")[self._request]),
            "order": pa.array(self._of_exposure("position").astype(np.int64)),
        }
        context = {
            "session_id": pa.array(session.astype(np.int64)),
            "request_id": pa.array(self._request.astype(np.int64)),
            "device": _named(DEVICES, self.sessions.device[session]),
            "network": _named(NETWORKS, self.sessions.network[session]),
        }
        return pa.table({**keys, **context, **dict(self._logged())}), pa.table({**keys, **dict(self._true())})

    def _logged(self) -> Iterator[tuple[str, pa.Array]]:
        """What the platform keeps of an exposure."""
        for name in ("position", "explored", *OUTCOMES):
            yield name, pa.array(self._of_exposure(name).astype(np.int64))
        yield "channel", _named(tuple(CHANNELS), self._of_exposure("channel"))
        yield "propensity", pa.array(self._of_exposure("propensity"))
        yield "play_seconds", pa.array(self._of_exposure("play_seconds"))

    def _true(self) -> Iterator[tuple[str, pa.Array]]:
        """What only the world knows of it."""
        for name in ("seen", *OUTCOMES):
            yield f"p_{name}", pa.array(self._of_exposure(f"true/{name}"))
        yield "play_seconds", pa.array(self._of_exposure("true/play_seconds"))

    def _of_request(self, name: str) -> Array:
        return np.asarray(self._tall[name][self._order])

    def _of_exposure(self, name: str) -> Array:
        return np.asarray(self._wide[name][self._place])


def _append(parts: dict[str, list[Array]], values: dict[str, Array]) -> None:
    for name, column in values.items():
        parts.setdefault(name, []).append(column)


def _of_requests(page: Pages) -> dict[str, Array]:
    return {
        "session": page.session,
        "user": page.moments.user,
        "time": page.moments.time,
        "mood": page.moments.mood.astype(np.float32),
        "count": page.slate.shown.sum(axis=1),
    }


def _of_exposures(page: Pages) -> dict[str, Array]:
    """The shown ones, row by row."""
    shown = page.slate.shown
    wide = {
        "item": page.items.astype(np.int32),
        "position": np.broadcast_to(np.arange(1, shown.shape[1] + 1, dtype=np.int8), shown.shape),
        "channel": page.channel.astype(np.int8),
        # Rounded, so that another machine's last bit does not make another data set.
        "propensity": np.round(page.slate.propensity, 8),
        "explored": page.slate.explored,
        **page.outcomes,
        **{f"true/{name}": chance.astype(np.float32) for name, chance in page.chances.items()},
    }
    return {name: values[shown] for name, values in wide.items()}


def _ragged(counts: Array, order: Array) -> Array:
    """Where the parts of rows lie when the rows are put in another order."""
    start, counts = (np.cumsum(counts) - counts)[order], counts[order]
    return np.repeat(start - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())


def _named(names: tuple[str, ...], codes: Array) -> pa.Array:
    return pa.array(names).take(pa.array(codes))

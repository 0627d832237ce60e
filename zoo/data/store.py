"""`Store`: what serving needs of the data, without the data: encoder, catalogue, and what known users did."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from zoo.core.errors import UserError, did_you_mean
from zoo.core.types import Batch, Request
from zoo.data.encode import Encoder, name_of
from zoo.data.past import aged
from zoo.data.snapshot import Snapshot, history_statistics
from zoo.data.split import Requests
from zoo.data.statistics import Statistics
from zoo.data.windows import KEY, NOW

History: TypeAlias = "Sequence[str] | Mapping[str, Sequence[str]]"


@dataclass(frozen=True)
class Store:
    """Turns raw users and histories into requests.

    Attributes:
        encoder: Raw values to ids.
        catalogue: Features of all items, `(n_items + 1, …)`.
        users: By known user, `(n_users + 1, …)`, row 0 empty: profile features, `history:<behaviour>` and
            `seen` item ids newest first, `events:<behaviour>` how many there are, and `last`, the time of the
            newest event in seconds; features of each event of a history, where there are any; and
            `statistics_key`, by which `statistics` know the user, -1 for row 0.
        rates: Overall share of every labelled behaviour.
        history_length: Events kept in the histories of a request.
        statistics: Counts and rates of what the snapshot knows, None where the dataset asks for none.
    """

    encoder: Encoder
    catalogue: Batch
    users: Batch
    rates: dict[str, float]
    history_length: int
    statistics: Statistics | None = None

    @classmethod
    def of(cls, snapshot: Snapshot) -> Store:
        """What the snapshot knows of the users with events before its cut."""
        events, names = snapshot.events, snapshot.encoder.roles
        # In the order of the encoder's ids, which may know users that come only after this snapshot.
        ids = snapshot.users["user_id"]
        row = ids.argsort(stable=True)[len(ids) - int((ids > 0).sum()) :]
        end = events.offsets[row] if events.nameless else snapshot.stop[row]
        new = end == events.offsets[row]
        requests = Requests(row, end, end, events.time[end - 1].masked_fill(new, 0), new)
        users = {name: snapshot.users[name][row] for name in ("user_id", *names.user)}
        for name in names.histories:
            users[f"history:{name}"] = snapshot.history(requests, name, snapshot.history_length)
            users |= snapshot.of_history(requests, name, snapshot.history_length)
        users |= {"seen": snapshot.history(requests, names.base), "last": requests.time}
        users |= {f"events:{name}": snapshot.count(requests, name) for name in names.histories}
        padded = {name: torch.cat([torch.zeros_like(x[:1]), x]) for name, x in users.items()}
        parts = (snapshot.encoder, snapshot.catalogue, padded, snapshot.rates, snapshot.history_length)
        if snapshot.statistics is None:
            return cls(*parts)
        padded[KEY] = torch.cat([torch.tensor([-1]), torch.full_like(row, -1) if events.nameless else row])
        # Its own count, of what the snapshot knows and no more.
        known = events.known(snapshot.stop)
        return cls(*parts, Statistics.asked(names, events, snapshot.catalogue, known))

    @property
    def live(self) -> Callable[[Batch, Tensor], Batch] | None:
        """From features of requests and `(B, K)` ids to statistics of candidates; None if there are none."""
        return partial(self.statistics.live, self.catalogue) if self.statistics else None

    def request(
        self,
        users: Sequence[str | None],
        histories: Sequence[History | None] | None = None,
        profiles: Mapping[str, Sequence[Any]] | None = None,
        time: int | None = None,
        context: Mapping[str, Sequence[Any]] | None = None,
    ) -> Request:
        """Requests of known users, unknown users, or bare histories.

        To the statistics a bare history is a new user's, without counts and with the rates of all; of its
        events no features are known.

        Args:
            users: Raw user ids; one that is not known, or None, is a new user.
            histories: In place of what is known of a user: raw item ids, newest first, or a mapping of
                behaviour to such ids. Unknown items are left out; None keeps what is known.
            profiles: Raw profile columns of all users, in place of what is known.
            time: Of the request, seconds since 1970 UTC; by default right after the user's newest event. With
                neither, statistics are as of the end of what the store knows.
            context: Raw values of the features of the moment, such as a device; the others are unknown.
        """
        index = self.encoder.ids("user_id", ["" if user is None else user for user in users])
        state = {name: value[index] for name, value in self.users.items()}
        for row, history in enumerate(histories or ()):
            if history is not None:
                state = self._with_history(state, row, history)
        if profiles:
            state |= self._profiles(profiles, len(users))
        now = state["last"] if time is None else torch.full_like(state["last"], time)
        gap = torch.where(state["last"] > 0, now - state["last"], -1)
        roles = self.encoder.roles
        counts = {name: state.pop(f"events:{name}") for name in roles.histories}
        clock = self.encoder.clock(torch.where(now > 0, now, -1))
        state = self._as_of(state, now + int(time is None))
        del state["last"]
        size, labels = counts.pop(roles.base), {name: counts[name] for name in self.rates}
        moments = self.encoder.unknown_moments(len(users)) | self._moments(context or {}, len(users))
        return Request(state | moments | clock | history_statistics(size, labels, gap, self.rates))

    def _as_of(self, state: Batch, now: Tensor) -> Batch:
        """The state with ages of events and statistics of users as of `now`, 1 where that is not known."""
        state = aged(self.encoder, state, now.where(now > 1, 0))
        if self.statistics is None:
            return state
        now = now.where(now > 1, self.statistics.overall.stop)
        return {**state, NOW: now, **self.statistics.user(state[KEY], now)}

    def _moments(self, context: Mapping[str, Sequence[Any]], rows: int) -> Batch:
        features = self.encoder.roles.moments
        if unknown := [name for name in context if name not in features]:
            raise UserError(f"context: unknown feature {unknown[0]!r}{did_you_mean(unknown[0], features)}")
        return {name: self.encoder.encode(name, features[name], values) for name, values in context.items()}

    def _profiles(self, profiles: Mapping[str, Sequence[Any]], rows: int) -> Batch:
        columns = {name: config.of or name for name, config in self.encoder.roles.user.items()}
        if unknown := [name for name in profiles if name not in columns.values()]:
            near = did_you_mean(unknown[0], columns.values())
            raise UserError(f"profile: unknown column {unknown[0]!r}{near}")
        encoded = self.encoder.user_features(profiles, rows)
        return {name: encoded[name] for name, column in columns.items() if column in profiles}

    def _with_history(self, state: Batch, row: int, history: History) -> Batch:
        """The state with the history of one user replaced."""
        behaviours, base = self.encoder.roles.histories, self.encoder.roles.base
        given = history if isinstance(history, Mapping) else {base: history}
        if unknown := [name for name in given if name not in behaviours]:
            near = did_you_mean(unknown[0], behaviours)
            raise UserError(f"history: unknown behaviour {unknown[0]!r}{near}")
        ids = {name: self._known_items(given.get(name, ())) for name in behaviours}
        # What was liked was also watched, whether or not the caller says so.
        extra = torch.cat([ids[name] for name in behaviours])
        ids[base] = torch.cat([ids[base], extra[~torch.isin(extra, ids[base])]])
        state = _placed(state, row, "seen", ids[base], len(ids[base]))
        for name in behaviours:
            state = _placed(state, row, f"history:{name}", ids[name], self.history_length)
            state = _placed(state, row, f"events:{name}", torch.tensor(len(ids[name])))
            for column in (f"time:{name}", *(name_of(key, name) for key in self.encoder.roles.happened)):
                state = _placed(state, row, column, torch.zeros(0), 0) if column in state else state
        state = _placed(state, row, KEY, torch.tensor(-1)) if self.statistics else state
        return _placed(state, row, "last", torch.tensor(0))

    def _known_items(self, raw: Sequence[str]) -> Tensor:
        if isinstance(raw, str):
            raise UserError(f"history: expected a list of item ids, found {raw!r}")
        ids = self.encoder.ids("item_id", raw)
        return ids[ids > 0]

    def save(self, folder: Path) -> None:
        """Writes `encoder.json`, `store.json` and a `.safetensors` of catalogue, users and any statistics."""
        folder.mkdir(parents=True, exist_ok=True)
        batches = {"catalogue": self.catalogue, "users": self.users}
        batches |= {"statistics": self.statistics.tensors()} if self.statistics else {}
        for name, batch in batches.items():
            tensors = {key: value.contiguous() for key, value in batch.items()}
            save_file(tensors, folder / f"{name}.safetensors.tmp")
            (folder / f"{name}.safetensors.tmp").replace(folder / f"{name}.safetensors")
        facts: dict[str, Any] = {"rates": self.rates, "history_length": self.history_length}
        facts |= {"statistics": self.statistics.facts()} if self.statistics else {}
        for name, text in (("encoder.json", self.encoder.to_json()), ("store.json", json.dumps(facts))):
            (folder / f"{name}.tmp").write_text(text)
            (folder / f"{name}.tmp").replace(folder / name)

    @classmethod
    def load(cls, folder: Path) -> Store:
        """The inverse of `save`.

        Raises:
            UserError: A file is missing or damaged.
        """
        try:
            encoder = Encoder.from_json((folder / "encoder.json").read_text())
            catalogue, users = (load_file(folder / f"{name}.safetensors") for name in ("catalogue", "users"))
            facts = json.loads((folder / "store.json").read_text())
            counted = facts.pop("statistics", None) if isinstance(facts, dict) else None
            store = cls(encoder, catalogue, users, **facts)
            if counted is None:
                return store
            tensors = load_file(folder / "statistics.safetensors")
            return replace(store, statistics=Statistics.restored(tensors, counted))
        except (OSError, ValueError, TypeError, KeyError, SafetensorError, UserError) as error:
            raise UserError(f"{folder}: no saved encoders ({error})") from error


def _placed(state: Batch, row: int, name: str, value: Tensor, width: int | None = None) -> Batch:
    """The state with one cell replaced; a row of ids is cut or padded, and the column widened, to fit."""
    column = state[name].clone()
    if width is None:
        column[row] = value
        return {**state, name: column}
    if column.shape[1] < width:
        column = torch.nn.functional.pad(column, (0, width - column.shape[1]))
    column[row] = 0
    column[row, : min(len(value), column.shape[1])] = value[: column.shape[1]]
    return {**state, name: column}

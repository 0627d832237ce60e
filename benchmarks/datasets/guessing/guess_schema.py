"""Features and behaviours that columns look like, each with the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.datasets.guessing.guess_columns import Profile
from benchmarks.datasets.guessing.guess_tables import Table, counted
from benchmarks.datasets.guessing.hints import (
    EXPOSURES,
    LENGTHS,
    MOMENT,
    NEGATIVES,
    RATINGS,
    WATCHED,
    behaviour_of,
    compact,
    snake,
)

Spec = dict[str, Any]

FEW, MANY = 20, 1000
"""So many whole numbers are categories rather than amounts; so many texts still make a vocabulary."""


@dataclass(frozen=True)
class Guess:
    """A line of the schema, commented out unless it is `sure` enough to be used."""

    name: str
    spec: Spec
    why: str
    sure: bool = True


def feature_of(profile: Profile) -> tuple[Spec, str]:
    """How a column becomes a feature, and why; nothing for a column that should not."""
    values = counted(profile)
    if pa.types.is_struct(profile.cells.type):
        return {}, "holds objects, which are not read"
    if profile.is_nested or profile.parts != ("", 1):
        length = profile.parts[1]
        return {
            "kind": "multi",
            "length": min(max(length, 1), 50),
        }, f"95% of cells hold up to {length} values"
    if profile.distinct < 2:
        return {}, f"says nothing: {values}"
    if profile.time[1] > 0.9:
        return {}, f"a time, which is no feature by itself: {values}"
    if profile.numbers is not None and not profile.name.lower().endswith("id"):
        if profile.is_whole and profile.distinct <= FEW:
            return {"kind": "categorical"}, values
        return {"kind": "numeric", "bins": 10}, f"numbers, {values}"
    if profile.distinct <= MANY and profile.distinct < 0.5 * profile.count:
        return {"kind": "categorical"}, values
    if profile.distinct > 0.5 * profile.count:
        return {}, f"text of its own in most rows: {values}"
    return {"kind": "categorical", "buckets": 10_000}, f"hashed, {values}"


def context_of(events: Table, used: set[str]) -> Iterator[tuple[Profile, Spec, str, bool]]:
    """The columns of the events that may be known before the event, and whether that is sure."""
    for profile in events.rest:
        spec, why = feature_of(profile)
        if profile.name not in used and spec:
            sure = compact(profile.name) in MOMENT and spec["kind"] != "multi"
            several = "several values in a cell cannot be of the moment"
            unsure = several if spec["kind"] == "multi" else "? use it if it is known before the event"
            yield profile, spec, why if sure else f"{unsure}; {why}", sure


def behaviours_of(events: Table, ours: Mapping[str, str]) -> tuple[list[Guess], set[str]]:
    """The behaviours, the base first, and the columns that they are made of."""
    guesses: list[Guess] = []
    used: set[str] = set()
    if "behaviour" in events.roles:
        guesses += _of_values(events.profiles[events.roles["behaviour"].column])
    flags = {p.name: behaviour_of(p.name) for p in events.rest if p.is_flag and behaviour_of(p.name)}
    guesses += _of_flags(events, flags, ours)
    ratings = [profile for profile in events.rest if compact(profile.name) in RATINGS]
    for profile in (profile for profile in ratings if profile.numbers is not None):
        guesses.append(_of_rating(profile, ours[profile.name]))
        used.add(profile.name)
    watched = _of_watching(events, ours)
    used |= set(flags) | {name for name, _ in watched}
    guesses += [guess for _, guess in watched]
    base = _base(guesses, bool(flags))
    taken = {base.name}
    for at, guess in enumerate(guesses):
        guesses[at] = replace(guess, name=free_name(guess.name, taken))
        taken.add(guesses[at].name)
    return [base, *guesses], used


def free_name(name: str, taken: set[str]) -> str:
    """The name, with a number if it is taken."""
    numbered = (f"{name}_{number}" for number in count(2))
    return next(free for free in chain([name], numbered) if free not in taken)


def _base(guesses: list[Guess], wide: bool) -> Guess:
    shown = any(compact(guess.name) in EXPOSURES for guess in guesses)
    if wide or shown:
        guesses[:] = [guess for guess in guesses if compact(guess.name) not in EXPOSURES]
        return Guess("exposure", {"kind": "exposure"}, "? every row is an item that was shown")
    return Guess("interaction", {}, "every row")


def _of_values(profile: Profile) -> list[Guess]:
    guesses = []
    for value, many in profile.counts.most_common(10):
        number = profile.numbers is not None
        name = f"behaviour_{snake(value).strip('_')}" if number else snake(value)
        spec: Spec = {"where": f"behaviour == {value if number else repr(value)}"}
        if compact(name) in NEGATIVES:
            spec["kind"] = "negative"
        why = f"{many / profile.count:.1%} of the sampled rows" + ("; ? what does it mean" if number else "")
        guesses.append(Guess(name, spec, why))
    return guesses


def _of_flags(events: Table, flags: Mapping[str, str], ours: Mapping[str, str]) -> list[Guess]:
    guesses = []
    clicks = next((column for column, name in flags.items() if compact(name) in ("click", "clicked")), "")
    for column, name in flags.items():
        numbers = events.profiles[column].numbers
        spec: Spec = {"where": f"{ours[column]} == 1"}
        why = f"{np.mean(numbers):.1%} of the sampled rows"
        if compact(name) in NEGATIVES:
            spec["kind"] = "negative"
        elif clicks and column != clicks and _within(events, column, clicks):
            spec["given"] = flags[clicks]
            why += f", all of them with {flags[clicks]}"
        guesses.append(Guess(name, spec, why))
    return guesses


def _within(events: Table, column: str, clicks: str) -> bool:
    """Whether a flag is set only where that of clicks is."""
    one, two = (events.profiles[name].numbers for name in (column, clicks))
    return len(one) == len(two) and bool(one.any() and np.all(two[one == 1] == 1))


def _of_rating(profile: Profile, name: str) -> Guess:
    low, high = float(profile.numbers.min()), float(profile.numbers.max())
    upper = profile.numbers[profile.numbers >= low + 0.7 * (high - low)].min()
    share = np.mean(profile.numbers >= upper)
    why = f"? the upper part of the scale {low:g} to {high:g}, {share:.0%} of the sampled rows"
    return Guess("like", {"where": f"{name} >= {upper:g}"}, why)


def _of_watching(events: Table, ours: Mapping[str, str]) -> list[tuple[str, Guess]]:
    timed = [profile for profile in events.rest if profile.numbers is not None and profile.distinct > FEW]
    watched = next((profile for profile in timed if compact(profile.name) in WATCHED), None)
    length = next((profile for profile in timed if compact(profile.name) in LENGTHS), None)
    if watched is None:
        return []
    fine = float(np.median(watched.numbers)) > 1000
    value = f"{ours[watched.name]} / 1000" if fine else ours[watched.name]
    why = f"? taken for {'milliseconds' if fine else 'seconds'}, {counted(watched)}"
    guesses = [(watched.name, Guess("watch_time", {"value": value, "kind": "explicit"}, why))]
    if length is not None:
        where = f"{ours[watched.name]} >= 0.8 * {ours[length.name]}"
        guesses.append((watched.name, Guess("finish", {"where": where}, "? watched to four fifths")))
    return guesses

"""A first config of a dataset, guessed from its files, with the evidence for every guess beside it."""

from __future__ import annotations

import json
import keyword
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from benchmarks.datasets.guessing.guess_columns import Profile
from benchmarks.datasets.guessing.guess_schema import Guess, behaviours_of, context_of, feature_of, free_name
from benchmarks.datasets.guessing.guess_tables import Table, Tables, tables_of
from benchmarks.datasets.guessing.hints import snake
from benchmarks.datasets.guessing.sniff import MAX_ROWS, sniff
from benchmarks.datasets.reading.times import to_times
from zoo.core.errors import UserError

_HEAD = f"""\
# A guess from the first {MAX_ROWS:,} rows of each file; the evidence stands beside it. Read it all before
# use, the lines with "# ?" twice, then try: python -m benchmarks data check
"""
_TAIL = """\

# A part of what the dataset is; uncomment what is wanted.
# filter:
#   events: "…"              # a condition on the columns of the events
#   min_user_events: 5       # repeated until all that are left have so many
#   min_item_events: 5
"""
_ROLES = (
    "user_id",
    "item_id",
    "time",
    "session_id",
    "request_id",
    "position",
    "propensity",
    "behaviour",
    "split",
    "order",
    "title",
)
_WORDS = {"null", "true", "false", "yes", "no", "on", "off"}


def guess(paths: Sequence[Path]) -> str:
    """The YAML of a dataset that some files look like.

    Args:
        paths: Log files, and perhaps files of users and items, all in one folder.

    Raises:
        UserError: A file is missing, empty, a folder or no table, in one line.
    """
    if not paths:
        raise UserError("no file is named")
    folders = sorted({os.path.dirname(os.path.abspath(path)) for path in paths})
    if len(folders) > 1:
        raise UserError(f"the files are in {len(folders)} folders, {', '.join(folders)}, expected one")
    tables = tables_of([sniff(Path(path)) for path in dict.fromkeys(paths)])
    lines = [*_top(tables, folders[0]), *_tables(tables), *_schema(tables)]
    return _HEAD + "\n".join(lines) + "\n" + _TAIL


def _top(tables: Tables, folder: str) -> Iterator[str]:
    yield f"title: {_yaml(Path(tables.events.files[0]).name.partition('.')[0])}  # ? say what it is"
    yield 'about: ""  # ? where it comes from; also citation, licence and url'
    yield _clock(tables.events)
    yield f"sources:\n  - {{kind: folder, at: {_yaml(folder)}}}"
    for file, why in tables.unused.items():
        yield _told(f"? not used: {file}: {why}").strip()


def _clock(events: Table) -> str:
    time = events.roles.get("time")
    if time is None:
        return "clock: none  # ? no column looks like a time"
    if events.profiles[time.column].time[0]:
        return "clock: seconds  # times are real"
    return (
        f"clock: order  # ? {time.column} is no time between 1995 and 2035, so it only orders a user's events"
    )


def _tables(tables: Tables) -> Iterator[str]:
    for name in ("events", "users", "items"):
        table: Table | None = getattr(tables, name)
        if table is not None:
            yield f"\n{name}:"
            yield from (f"  {line}" for line in _table(table, _ours(table), name))


def _table(table: Table, ours: Mapping[str, str], name: str) -> Iterator[str]:
    yield f"files: [{', '.join(map(_yaml, table.files))}]  # about {table.rows:,} rows"
    for option in table.sample.options:
        yield f"{option.key}: {_yaml(option.value)}{_told(option.why)}"
    if words := {profile.name: profile.words for profile in table.rest if profile.words}:
        empty = _yaml(sorted({"", *chain(*words.values())}))
        yield f"empty: {empty}" + _told(f"? no value, in {', '.join(words)}; leave out what is a category")
    keys = [f"{key}: {_yaml(role.column)}{_told(role.why)}" for key, role in table.roles.items()]
    if table.is_headless:
        yield f"names: [{', '.join(map(_yaml, ours.values()))}]"
        yield from (f"# {key}: {role.why}" for key, role in table.roles.items())
    else:
        renamed = {
            mine: theirs for theirs, mine in ours.items() if mine != theirs and mine not in table.roles
        }
        yield "columns:"
        yield from (f"  {line}" for line in keys)
        yield from (f"  {mine}: {_yaml(theirs)}" for mine, theirs in renamed.items())
    if "time" in table.roles:
        yield _time(table.profiles[table.roles["time"].column])
    lists = {ours[p.name]: p.parts[0] for p in table.rest if p.parts[0]}
    if lists and name != "events":
        yield f"lists: {_yaml(lists)}"


def _time(profile: Profile) -> str:
    unit, share = profile.time
    if not unit:
        return "time: seconds  # that is, as they are"
    months_first = unit.replace("%d/%m", "%m/%d")
    either = months_first != unit and profile.share_in(months_first) == share
    sure = "? the month may stand first; " if either else "" if share == 1 else "? "
    many = f"all {profile.count:,}" if share == 1 else f"{share:.1%} of {profile.count:,}"
    return f"time: {_yaml(unit)}  # {sure}{many} sampled values look like {unit}"


def _ours(table: Table) -> dict[str, str]:
    """Our names of the columns by theirs, each of which an expression can hold."""
    ours = {role.column: key for key, role in reversed(table.roles.items()) if role.column}
    for name in table.profiles:
        if name not in ours:
            plain = (
                name if re.fullmatch(r"[A-Za-z_]\w*", name) and not keyword.iskeyword(name) else snake(name)
            )
            ours[name] = free_name(plain, {*ours.values(), *_ROLES})
    return {name: ours[name] for name in table.profiles}


def _schema(tables: Tables) -> Iterator[str]:
    yield "\nschema:"
    taken = set(_ROLES)
    for section, table in (("user", tables.users), ("item", tables.items)):
        yield from _section(section, list(_features(section, table, taken)) if table else [])
    ours = _ours(tables.events)
    behaviours, used = behaviours_of(tables.events, ours)
    clock = [Guess(name, {"kind": "categorical", "of": "time"}, "") for name in _rounds(tables.events)]
    columns = [
        _feature("context", ours[profile.name], spec, why, sure, taken)
        for profile, spec, why, sure in context_of(tables.events, used)
    ]
    yield from _section("context", clock + columns)
    yield from _section("behaviours", behaviours)


def _features(section: str, table: Table, taken: set[str]) -> Iterator[Guess]:
    ours = _ours(table)
    for profile in table.rest:
        spec, why = feature_of(profile)
        yield _feature(section, ours[profile.name], spec, why, bool(spec), taken)


def _feature(section: str, name: str, spec: dict[str, Any], why: str, sure: bool, taken: set[str]) -> Guess:
    """A feature under a name that no other one has."""
    free = name if name not in taken else free_name(f"{section}_{name}", taken)
    taken.add(free)
    return Guess(free, spec if free == name else spec | {"of": name}, why, sure)


def _rounds(events: Table) -> list[str]:
    """The features of the clock: not the hour where times are days."""
    if "time" not in events.roles:
        return []
    profile = events.profiles[events.roles["time"].column]
    if not profile.time[0]:
        return []
    seconds = to_times(profile.cells, profile.time[0]).values
    days = pc.multiply(pc.divide(seconds, 86_400), 86_400)
    return ["weekday"] if pc.all(pc.equal(seconds, days)).as_py() else ["hour", "weekday"]


def _section(name: str, guesses: Sequence[Guess]) -> Iterator[str]:
    yield f"  {name}:" if any(guess.sure for guess in guesses) else f"  {name}: {{}}"
    for guess in guesses:
        why = _told(guess.why) if guess.why else ""
        line = f"{_yaml(guess.name)}: {_yaml(guess.spec)}{why}"
        yield f"    {line}" if guess.sure else f"    # {line}" if guess.spec else f"    # {guess.name}{why}"


def _yaml(value: Any) -> str:
    """A value on one line, text in quotes where it could be taken for something else."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_yaml(key)}: {_yaml(item)}" for key, item in value.items()) + "}"
    if not isinstance(value, str):
        return json.dumps(value)
    plain = re.fullmatch(r"[A-Za-z_./][\w./*-]*", value) and value.lower() not in _WORDS
    return value if plain else '"' + "".join(map(_character, value)) + '"'


def _character(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"


def _told(why: str) -> str:
    """A comment on one line, whatever stands in the files."""
    return "  # " + "".join(sign if sign.isprintable() else " " for sign in why)

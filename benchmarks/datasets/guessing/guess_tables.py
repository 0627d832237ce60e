"""Which files are events, users and items, and which columns have a role, each with the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.datasets.guessing.guess_columns import Profile
from benchmarks.datasets.guessing.hints import TITLES, about, compact, role_of
from benchmarks.datasets.guessing.sniff import Sample
from zoo.core.errors import UserError

KEYS = {"users": "user_id", "items": "item_id"}
_FEW = 50  # a column of behaviours has fewer values


@dataclass(frozen=True)
class Role:
    """The column that has a role; none where nothing looks like it."""

    column: str
    why: str


@dataclass
class Table:
    """Files of one form.

    Attributes:
        rows: Of all files, about.
    """

    files: list[str]
    sample: Sample
    rows: int
    roles: dict[str, Role] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.profiles = {name: Profile(name, cells) for name, cells in self.sample.columns.items()}

    @property
    def is_headless(self) -> bool:
        """Whether no line names the columns."""
        return any(option.key == "header" and not option.value for option in self.sample.options)

    def rename(self, old: str, new: str) -> None:
        """Calls a column by another name; where no line names it, that is what `names` are for."""
        self.profiles = {
            (new if name == old else name): (Profile(new, p.cells) if name == old else p)
            for name, p in self.profiles.items()
        }

    @property
    def rest(self) -> list[Profile]:
        """The columns without a role."""
        taken = {role.column for role in self.roles.values()}
        return [profile for name, profile in self.profiles.items() if name not in taken]

    def take(self, role: str, profile: Profile, why: str) -> None:
        """Gives a role to a column."""
        self.roles[role] = Role(profile.name, f"{why}; {counted(profile)}")


@dataclass
class Tables:
    """The tables of a dataset; what is none of them is `unused`, with the reason."""

    events: Table
    users: Table | None = None
    items: Table | None = None
    unused: dict[str, str] = field(default_factory=dict)


def counted(profile: Profile) -> str:
    """How many values a column has."""
    if profile.is_nested:
        return f"lists in {profile.count:,} rows"
    return f"{profile.distinct:,} distinct value{'s' * (profile.distinct != 1)} in {profile.count:,} rows"


def tables_of(samples: Sequence[Sample]) -> Tables:
    """Sorts files into tables and finds their keys.

    Raises:
        UserError: None of them can be events.
    """
    groups: dict[object, Table] = {}
    for sample in samples:
        table = groups.setdefault(sample.form, Table([], sample, 0))
        table.files.append(sample.file)
        table.rows += sample.rows
    candidates = list(groups.values())
    for table in candidates:
        _roles_by_name(table)
    events = max(candidates, key=lambda table: (_is_log(table), table.rows))
    if len(events.profiles) < 2:
        raise UserError(
            f"{events.files[0]}: one column only, expected at least a user and an item in each row"
        )
    _roles_by_content(events)
    found = Tables(events)
    # Of two tables of items the one that says more is taken.
    others = (table for table in candidates if table is not events)
    for table in sorted(others, key=lambda table: len(table.profiles), reverse=True):
        _side_table(found, table)
    return found


def _is_log(table: Table) -> int:
    """How much a table looks like events: it has users and items, and does not describe one of them."""
    keys = [table.profiles[table.roles[key].column] for key in KEYS.values() if key in table.roles]
    return len(keys) - any(profile.is_unique for profile in keys)


def _roles_by_name(table: Table) -> None:
    named: dict[str, list[Profile]] = {}
    for name, profile in table.profiles.items():
        if (role := role_of(name)) and _may_be(role, profile):
            named.setdefault(role, []).append(profile)
    for role, profiles in named.items():
        best = max(
            profiles, key=lambda p: (p.time[1] if role == "time" else 0, p.name.lower().endswith("id"))
        )
        table.take(role, best, "by its name")


def _may_be(role: str, profile: Profile) -> bool:
    """Whether the values of a column allow the role that its name says."""
    if role in ("position", "propensity"):
        return profile.numbers is not None
    if role == "behaviour":
        return 1 < profile.distinct <= _FEW
    if role == "time":
        return bool(profile.time[0]) or profile.numbers is not None
    return not profile.is_nested and profile.count > 0 and profile.parts == ("", 1)


def _roles_by_content(events: Table) -> None:
    if "time" not in events.roles:
        timed = [profile for profile in events.rest if profile.time[1] > 0.95]
        if timed:
            events.take("time", timed[0], "? by its values")
    ids = [profile for profile in events.rest if profile.is_id and not role_of(profile.name)]
    for key in ("user_id", "item_id"):
        if key in events.roles:
            continue
        if key == "user_id" and "session_id" in events.roles:
            column = events.profiles[events.roles["session_id"].column]
            events.take(key, column, "? no column of users, so each session stands for one")
        elif ids:
            # Users come first in most logs; there are more items than steps, counts and the like.
            best = ids[0] if key == "user_id" else max(ids, key=lambda profile: profile.distinct)
            ids.remove(best)
            first = "the first column" if key == "user_id" else "the column with most values"
            events.take(key, best, f"? {first} that looks like ids")
        else:
            events.roles[key] = Role("", "? no column looks like it")
    if events.is_headless:
        scales = [profile for profile in events.rest if profile.is_scale]
        for profile in scales[:1]:
            events.rename(profile.name, "rating")


def _side_table(found: Tables, table: Table) -> None:
    """Takes a table as that of users or of items, if it describes one of them."""
    name, profile, why = _described(found.events, table)
    file = ", ".join(table.files)
    if profile is None:
        found.unused[file] = "no column has an id of a user or an item in each row, once"
    elif getattr(found, name) is not None:
        found.unused[file] = f"describes {name} too, and says less"
    else:
        table.roles = {}
        table.take(KEYS[name], profile, why)
        if table.is_headless:
            for at, column in enumerate(list(table.profiles), 1):
                if column != profile.name:
                    table.rename(column, f"{name[:-1]}_{at}")
        if name == "items":
            _title(table)
        setattr(found, name, table)


def _title(items: Table) -> None:
    texts = [p for p in items.rest if p.numbers is None and not p.is_nested and p.count]
    named = [profile for profile in texts if compact(profile.name) in TITLES]
    own = [profile for profile in texts if items.is_headless and profile.distinct > 0.9 * profile.count]
    if named:
        items.take("title", named[0], "for people to read, by its name")
    elif own:
        items.take("title", own[0], "? for people to read, text of its own in most rows")


def _described(events: Table, table: Table) -> tuple[str, Profile | None, str]:
    unique = [profile for profile in table.profiles.values() if profile.is_unique]
    for name, key in KEYS.items():
        named = [profile for profile in unique if role_of(profile.name) == key]
        if named:
            return name, named[0], "by its name, and no value twice"
    shares = {
        (name, profile.name): _known(events, key, profile) for name, key in KEYS.items() for profile in unique
    }
    said = about(table.files[0])
    best = max(shares, key=lambda pair: (shares[pair] > 0.1, pair[0] == said, shares[pair]), default=None)
    if best is None or shares[best] <= 0.1:
        return "", None, ""
    name, column = best
    why = f"no value twice, and {shares[best]:.0%} of the {name} of the events are in it"
    return name, table.profiles[column], why if name == said else f"? {why}"


def _known(events: Table, key: str, profile: Profile) -> float:
    """The share of the ids of the events that a column has."""
    column = events.roles[key].column
    ids = set(events.profiles[column].counts) if column else set()
    return len(ids & set(profile.counts)) / max(len(ids), 1)

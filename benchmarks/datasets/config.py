"""What `configs/datasets/<name>.yaml` may say."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from benchmarks.datasets.table_config import TableConfig
from zoo.core.check import check
from zoo.core.config import demand
from zoo.core.mistakes import ConfigErrors
from zoo.core.yaml import load
from zoo.data.roles import SchemaConfig, mistake_in

_DIGEST = "expected md5:<32 hex digits>, sha256:<64 hex digits> or nothing"


@dataclass(frozen=True)
class SourceConfig:
    """One place the files come from.

    Attributes:
        kind: `folder`, `wheel` (a package that ships the files), `url` (an archive or a file), `simulated`.
        at: The folder below `$ZOO_DATA` (or absolute, or with ./ beside the YAML), the package, the address.
        reader: In place of the dataset's own, where this source has another form.
        inside: What goes before each file's name inside the archive.
        archive: `md5:<hex>` or `sha256:<hex>` of the archive, empty where not known.
        files: By file name `md5:<hex>` or `sha256:<hex>`, empty where not known.
        options: Of a simulation.
        checked: What of this source has been tried, and what has not.
    """

    kind: Literal["folder", "wheel", "url", "simulated"]
    at: str = ""
    reader: str = ""
    inside: str = ""
    archive: str = ""
    files: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    checked: str = ""

    def __post_init__(self) -> None:
        demand(
            (self.kind == "simulated" or bool(self.at), f"at is needed, where the {self.kind} is"),
            (_is_digest(self.archive), f"archive: {_DIGEST}, found {self.archive!r}"),
            *((_is_digest(found), f"files: {_DIGEST}, found {found!r}") for found in self.files.values()),
        )


@dataclass(frozen=True)
class FilterConfig:
    """What is left out, as a part of what the dataset is.

    Attributes:
        events: A condition on the events that stay.
        min_user_events: Users with fewer events go, and so do items below, until nothing changes.
        min_item_events: Likewise.
    """

    events: str = ""
    min_user_events: int = 1
    min_item_events: int = 1

    def __post_init__(self) -> None:
        mistake = mistake_in(self.events) if self.events else ""
        demand(
            (not mistake, f"events {mistake}"),
            (self.min_user_events >= 1, f"min_user_events must be at least 1, found {self.min_user_events}"),
            (self.min_item_events >= 1, f"min_item_events must be at least 1, found {self.min_item_events}"),
        )


@dataclass(frozen=True)
class DatasetConfig:
    """A dataset: what it is, on what terms, where it comes from, and what its columns mean.

    Attributes:
        schema: Features and behaviours.
        sources: Tried in this order.
        reader: The Python reader of its files, where no table describes them.
        events: How the files read as a table of events.
        users: Likewise, of users.
        items: Likewise, of items.
        filter: What is left out.
        clock: Whether times are seconds, only the order of a user's events, or nothing: rows of a table have
            no order, and times that the files hold are dropped, so that no history can follow them.
        canonical: `Log.sha256()` of its tables, the same from every source; empty for data that may change.
        statistics: Numbers for people to read, such as the rows of each table.
        name: The name of the file; do not write it.
        folder: Of the file; do not write it.
    """

    schema: SchemaConfig
    sources: list[SourceConfig] = field(default_factory=list)
    title: str = ""
    about: str = ""
    citation: str = ""
    licence: str = ""
    url: str = ""
    reader: str = ""
    events: TableConfig | None = None
    users: TableConfig | None = None
    items: TableConfig | None = None
    filter: FilterConfig = field(default_factory=FilterConfig)
    clock: Literal["seconds", "order", "none"] = "seconds"
    canonical: str = ""
    statistics: dict[str, int] = field(default_factory=dict)
    name: str = ""
    folder: str = ""

    def __post_init__(self) -> None:
        described = bool(self.reader or self.events)
        own = [source.kind == "simulated" or bool(source.reader) for source in self.sources]
        clocks = [name for name in self.schema.context if name not in self.schema.moments]
        cut = [name for name in ("users", "items") if name in self.tables and self.tables[name].split]
        timed, asked = self.clock == "seconds", self.schema.statistics
        finite = ", ".join(asked.finite) if asked else ""
        ages = ", ".join(name.removeprefix("event:") for name in self.schema.ages)
        demand(
            (not cut, f"{''.join(cut[:1])}.split: only events are published in parts"),
            (
                not clocks or self.clock == "seconds",
                f"schema.context.{''.join(clocks[:1])} is made of the time, "
                f"which clock: {self.clock} does not have",
            ),
            (
                described or any(own) or not own,
                "events must say how the files read, or reader which reader does",
            ),
            (timed or not finite, f"clock must be seconds for windows other than all, found {finite}"),
            (timed or not ages, f"clock must be seconds for ages of events, found {ages}"),
        )

    @property
    def tables(self) -> dict[str, TableConfig]:
        """The described tables by name."""
        named = {"events": self.events, "users": self.users, "items": self.items}
        return {name: table for name, table in named.items() if table}

    @property
    def recipe(self) -> str:
        """Hash of all that shapes the tables, but for the contents of the files."""
        parts: list[Any] = [self.canonical, self.reader, asdict(self.filter), self.clock]
        if not self.canonical:
            sources = [(source.kind, source.at, source.options) for source in self.sources]
            tables = {name: asdict(table) for name, table in self.tables.items()}
            parts += [sources, tables, roles_of(self.schema)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def fingerprint(self, canonical: str) -> str:
        """Hash of all that a run can see: the tables (their hash) and their roles, not the prose."""
        seen = json.dumps([canonical, roles_of(self.schema), self.clock], sort_keys=True)
        return hashlib.sha256(seen.encode()).hexdigest()


LATER = ("shown", "event", "statistics")
"""Parts of a schema that came after the first records: left out of hashes where empty, so that those hold."""


def roles_of(schema: SchemaConfig) -> dict[str, Any]:
    """A schema as hashes see it."""
    return {name: part for name, part in asdict(schema).items() if part or name not in LATER}


def load_config(path: str | Path) -> DatasetConfig:
    """The dataset that a YAML file describes.

    Raises:
        ConfigErrors: With every unknown or missing key and every value of the wrong type.
    """
    node, path = load(path), Path(path)
    for key in ("name", "folder"):
        if own := node.get(key):
            raise ConfigErrors([own.mistake(key, "a dataset is named by its file, remove the key")])
    return replace(check(node, DatasetConfig), name=path.stem, folder=str(path.parent))


def _is_digest(text: str) -> bool:
    return re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}|", text) is not None

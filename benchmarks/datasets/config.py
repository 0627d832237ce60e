"""What `configs/datasets/<name>.yaml` may say."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from zoo.core.check import check
from zoo.core.config import demand
from zoo.core.yaml import load
from zoo.data.roles import SchemaConfig

_DIGEST = "expected md5:<32 hex digits>, sha256:<64 hex digits> or nothing"


@dataclass(frozen=True)
class SourceConfig:
    """One place the files come from.

    Attributes:
        kind: `folder` (below `$ZOO_DATA`), `wheel` (a package that ships the files) or `url` (a zip).
        at: The folder's name, the package's requirement, or the address.
        format: The reader of these files; a folder is read by the format of whichever files it holds.
        inside: What goes before each file's name inside the archive.
        archive: `md5:<hex>` or `sha256:<hex>` of the archive, empty where not known.
        files: By file name `md5:<hex>` or `sha256:<hex>`, empty where not known.
        checked: What of this source has been tried, and what has not.
    """

    kind: Literal["folder", "wheel", "url"]
    at: str
    format: str = ""
    inside: str = ""
    archive: str = ""
    files: dict[str, str] = field(default_factory=dict)
    checked: str = ""

    def __post_init__(self) -> None:
        here = self.kind == "folder"
        demand(
            (here or bool(self.format), f"format is needed to read what a {self.kind} gives"),
            (here or bool(self.files), f"files to take from a {self.kind} must be named"),
            (_is_digest(self.archive), f"archive: {_DIGEST}, found {self.archive!r}"),
            *((_is_digest(found), f"files: {_DIGEST}, found {found!r}") for found in self.files.values()),
        )


@dataclass(frozen=True)
class DatasetConfig:
    """A dataset: what it is, on what terms, where it comes from, and what its columns mean.

    Attributes:
        canonical: `Log.sha256()` of its tables, the same from every source.
        sources: Tried in this order.
        statistics: Numbers for people to read, such as the rows of each table.
    """

    name: str
    title: str
    about: str
    citation: str
    licence: str
    url: str
    canonical: str
    schema: SchemaConfig
    sources: list[SourceConfig] = field(default_factory=list)
    statistics: dict[str, int] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Hash of all that a run can see: the tables and their roles, not the prose or the sources."""
        seen = json.dumps([self.canonical, asdict(self.schema)], sort_keys=True)
        return hashlib.sha256(seen.encode()).hexdigest()


def load_config(path: str | Path) -> DatasetConfig:
    """The dataset that a YAML file describes.

    Raises:
        ConfigErrors: With every unknown or missing key and every value of the wrong type.
    """
    return check(load(path), DatasetConfig)


def _is_digest(text: str) -> bool:
    return re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}|", text) is not None

"""`python -m benchmarks data`: describe a log, check a dataset, show it as models see it."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.datasets.cache import prepare
from benchmarks.datasets.config import DatasetConfig, load_config
from benchmarks.datasets.reading.report import Report
from benchmarks.entries import config_names
from zoo.core.errors import UserError, did_you_mean


def new(logs: Sequence[Path], name: str, out: Path | None, root: Path) -> int:
    """Writes a YAML that describes the logs, as well as it can be guessed.

    Args:
        logs: Files that hold events, users or items.
        name: Of the dataset; empty to take it from the first file.
        out: The YAML; None for `datasets/<name>.yaml` below `root`.
        root: The folder of configs.

    Raises:
        UserError: A log cannot be read, or the YAML is there.
    """
    from rich.console import Console

    from benchmarks.datasets.guessing.guess import guess

    name = name or _name_of(logs[0])
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise UserError(f"--name: found {name!r}, expected letters, digits, '-', '.' and '_'")
    path = out or root / "datasets" / f"{name}.yaml"
    if path.suffix != ".yaml":
        raise UserError(f"--out: found {path}, expected a name that ends in .yaml")
    if path.exists():
        raise UserError(f"{path}: is there already; remove it, or choose another --name or --out")
    _write(path, guess(list(logs)))
    console = Console()
    shown = path.stem if out is None else path
    for line in (
        f"wrote {path}",
        "1. read it: every guess has a comment; mend what is wrong",
        f"2. python -m benchmarks data check {shown}",
        f"3. python -m benchmarks data show {shown}",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def check(name: str, root: Path) -> int:
    """Prepares and profiles a dataset; 1 if its statistics are not those that its YAML states.

    Raises:
        UserError: There is no such dataset, or its data cannot be read.
    """
    from rich.console import Console

    from benchmarks.datasets.profiling.profile import profile
    from benchmarks.datasets.profiling.show import print_profile

    config, report = find(name, root), Report()
    prepared = prepare(config, report=report)
    found = profile(prepared.log, config, report)
    console = Console()
    console.print(f"{config.name} in {prepared.path}", markup=False, highlight=False, soft_wrap=True)
    canonical = config.canonical or prepared.log.sha256()
    console.print(f"canonical: {canonical}", markup=False, highlight=False, soft_wrap=True)
    print_profile(console, found)
    for text in found.differences:
        print(f"error: {config.name}: {text}", file=sys.stderr)
    return 1 if found.differences else 0


def show(name: str, rows: int, root: Path) -> int:
    """Prints the schema after encoding, and some events.

    Raises:
        UserError: There is no such dataset, its data cannot be read, or `rows` is below 1.
    """
    from rich.console import Console

    from benchmarks.datasets.profiling.show import print_encoded

    if rows < 1:
        raise UserError(f"--rows: found {rows}, expected at least 1")
    config = find(name, root)
    print_encoded(Console(), prepare(config).log, config, rows)
    return 0


def find(name: str, root: Path) -> DatasetConfig:
    """The dataset of that name below `root`, or of that YAML file.

    Raises:
        UserError: There is none, or its YAML has a mistake.
    """
    if name.endswith((".yaml", ".yml")):
        return load_config(name)
    names = config_names(root, "datasets")
    if name not in names:
        near = did_you_mean(name, names)
        known = ", ".join(names) or "none"
        raise UserError(f"no dataset {name!r}{near} in {root / 'datasets'}, found {known}")
    return load_config(root / "datasets" / f"{name}.yaml")


def _name_of(log: Path) -> str:
    stem = re.sub(r"(\.(csv|tsv|tab|txt|dat|parquet|pq|jsonl|ndjson|json|gz))+$", "", log.name.lower())
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-") or "log"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent) as temp:
            whole = Path(temp) / path.name
            whole.write_text(text, encoding="utf-8")
            os.replace(whole, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None

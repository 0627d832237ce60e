"""The static site: one index, one page for each entry; no network, no script needed to read it."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.intervals import Interval
from benchmarks.record import RecordError
from leaderboard.aggregate import Comparison, Row, boards, comparisons, rows
from leaderboard.load import Run
from leaderboard.metrics import label, merit, number

_HERE = Path(__file__).parent
_MARKER = ".funnelzoo-site"


def build(runs: Sequence[Run], out: Path) -> Path:
    """Write the site of `runs` to `out`, all of it or nothing; returns the path of its index.html.

    Raises:
        RecordError: If `out` holds something that is no site of ours.
    """
    out = out.resolve()
    if out.exists() and not (out / _MARKER).exists() and (out.is_file() or any(out.iterdir())):
        raise RecordError(f"{out}: found other files, expected an empty folder or a site built here before")
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        _write(runs, fresh)
        fresh.chmod(0o755)  # mkdtemp's 0700 would hide the site from a web server
        _swap(fresh, out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return out / "index.html"


def _swap(fresh: Path, out: Path) -> None:
    old = fresh.with_name(f"{fresh.name}-old")
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _write(runs: Sequence[Run], folder: Path) -> None:
    environment = _environment()
    all_rows = rows(runs)
    sections = [(board, comparisons(board, all_rows)) for board in boards(all_rows)]
    failed = [run.record for run in runs if run.record.status == "failed"]
    index = environment.get_template("index.html")
    (folder / "index.html").write_text(index.render(root="", sections=sections, failed=failed), "utf-8")
    (folder / "entries").mkdir()
    for row in all_rows:
        page = environment.get_template("entry.html").render(root="../", row=row, **_details(row))
        (folder / _page(row)).write_text(page, "utf-8")
    shutil.copytree(_HERE / "static", folder / "static")
    (folder / _MARKER).touch()


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(number=number, label=label, merit=merit, page=_page, extent=_extent)
    return environment


def _page(row: Row) -> str:
    """The path of the page of `row`; the hash tells apart what a file name cannot."""
    key = "/".join((row.newest.dataset, row.newest.stage, row.newest.entry))
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    plain = re.sub(r"[^\w.-]+", "-", f"{row.newest.dataset}-{row.newest.entry}", flags=re.ASCII)
    return f"entries/{plain[:80]}-{digest}.html"


def _extent(table: Sequence[Comparison]) -> float:
    """The farthest any interval of `table` reaches from 0, for a common scale."""
    ends = (end for c in table for end in (c.difference.mean, c.difference.lo, c.difference.hi))
    return max((abs(end) for end in ends if end is not None), default=0.0) or 1.0


def _details(row: Row) -> dict[str, Any]:
    config = yaml.safe_dump(row.newest.config, sort_keys=False, allow_unicode=True)
    commands = "\n".join(dict.fromkeys(run.record.command for run in row.runs))
    survival, finds = _below(row, "survival/"), _below(row, "unique_finds/")
    return {
        "config": config,
        "commands": commands,
        "survival": survival,
        "finds": finds,
        "latency": _latency(row),
    }


def _below(row: Row, prefix: str) -> dict[str, Interval]:
    return {m.removeprefix(prefix): value for m, value in row.metrics.items() if m.startswith(prefix)}


def _latency(row: Row) -> dict[str, dict[str, Interval]]:
    """Percentile by name for each stage, the whole request last."""
    stages: dict[str, dict[str, Interval]] = {}
    for key, value in _below(row, "latency_ms/").items():
        stage, _, percentile = key.rpartition("/")
        stages.setdefault(stage, {})[percentile] = value
    return dict(sorted(stages.items(), key=lambda item: item[0] == ""))

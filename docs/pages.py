"""A page for each model, from its docstring, its `Config`, its YAML and the committed records."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docs.results import cell
from leaderboard.aggregate import Row
from leaderboard.metrics import columns, label
from zoo.core.registry import STAGES, list_models, model_class

ROOT = Path(__file__).parents[1]
NOTE = "<!-- Written by `make docs`; edit the docstrings and the YAML instead. -->"


def pages(found: Sequence[Row]) -> dict[Path, str]:
    """The text of every page by its path below `docs/models/`."""
    out = {Path(f"{name}.md"): page(name, found) for name in list_models()}
    return {Path("README.md"): overview(), **out}


def overview() -> str:
    """The list of all models by stage."""
    parts = [
        NOTE,
        "# Models",
        "A name is a path: `rank/dcn_v2` is `zoo/rank/dcn_v2.py` and `configs/rank/dcn_v2.yaml`.",
    ]
    for stage in STAGES:
        lines = [f"- [`{name}`]({name}.md): {_summary(model_class(name))}" for name in list_models(stage)]
        parts.append("\n".join([f"## {stage}", "", *lines]))
    return "\n\n".join(parts) + "\n"


def page(name: str, found: Sequence[Row]) -> str:
    """The page of one model."""
    cls = model_class(name)
    path = f"configs/{name}.yaml"
    text = inspect.cleandoc(cls.__doc__ or "")
    own = [row for row in found if row.newest.model == name]
    return "\n\n".join(
        [
            NOTE,
            f"# {name}",
            _linked(text),
            f"Source: [`zoo/{name}.py`](../../../zoo/{name}.py), config: [`{path}`](../../../{path}).",
            "## Options",
            _options(cls.Config),
            "## Config",
            f"```yaml\n{(ROOT / path).read_text().strip()}\n```",
            "## Measured",
            "\n\n".join(_measured(row) for row in own) or _unmeasured(name),
        ]
    ) + "\n"  # fmt: skip


def _summary(cls: type[Any]) -> str:
    return " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split())


def _linked(text: str) -> str:
    return re.sub(r"(?<![<(\"])(https://[^\s)]+)(?=[).])", r"<\1>", text)


def _options(config: type[Any]) -> str:
    """A table of the fields with their types and defaults as the source says them."""
    told = _attributes(config)
    fields = dataclasses.fields(config)
    if not fields:
        return "None."
    lines = ["| option | type | default | meaning |", "|---|---|---|---|"]
    for field in fields:
        kind = str(field.type).replace("|", r"\|")
        lines.append(f"| `{field.name}` | `{kind}` | `{_default(field)}` | {told.get(field.name, '')} |")
    return "\n".join(lines)


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
    if value is dataclasses.MISSING:
        return "required"
    return "null" if value is None else str(value) or "''"


def _attributes(config: type[Any]) -> dict[str, str]:
    """What the docstrings of a config and of its bases say of each field."""
    told: dict[str, str] = {}
    for cls in reversed(config.__mro__):
        section = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")[2]
        # A field begins at four spaces, its further lines are indented deeper.
        for name, text in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE):
            told[name] = " ".join(text.replace("|", r"\|").split())
    return told


def _measured(row: Row) -> str:
    newest = row.newest
    shown = columns(newest.stage, row.metrics)
    seeds = ", ".join(map(str, row.seed_numbers))
    lines = [f"`{newest.entry}` on {newest.dataset}, protocol {row.protocol}, seeds {seeds}:", ""]
    lines += ["| metric | mean [95 % interval] |", "|---|---|"]
    lines += [f"| {label(metric)} | {cell(metric, row.metrics[metric])} |" for metric in shown]
    return "\n".join([*lines, "", "Made again by", "", "```bash", newest.command, "```"])


def _unmeasured(name: str) -> str:
    if name.startswith("rerank/"):
        return "A reranker is measured as a stage of a funnel."
    return "No published record."

"""What a suite comes down to: a list of runs, each known by a hash of all that shapes its result."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from benchmarks.configs import SuiteConfig
from benchmarks.overrides import assignments, suffix, to_text
from benchmarks.protocols import ProtocolConfig
from zoo.core.check import to_plain

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class RunSpec:
    """One run.

    Attributes:
        entry: The name to show: `recall/two_tower`, `funnels/ml-100k`, `recall/two_tower+fit.lr=1e9`.
        model: Name in the registry, `funnel` for funnels.
        stage: Its stage, `funnel` for funnels.
        seed: The seed.
        config: Plain JSON with all defaults: model, params, fit and index (a funnel: its stages), dataset,
            protocol, and in `entries` the configs of all entries whose output it works on.
        command: Makes this run again, and no other.
    """

    entry: str
    model: str
    stage: str
    seed: int
    config: dict[str, Any]
    command: str

    def key(self, dataset_fingerprint: str) -> str:
        """16 hex digits: the same whenever the result must be, so it is the id of the record."""
        whole = {"config": self.config, "seed": self.seed, "dataset_fingerprint": dataset_fingerprint}
        text = json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Job:
    """An entry or funnel before it is multiplied by the seeds.

    Attributes:
        name: How the command line calls it, `recall/popular` or `funnels/ml-100k`.
        stage: Its stage, or `funnel`.
        config: What is particular to it.
        changes: What the command line changed, and the suite if there is no label.
        labelled: The entry in the suite, if it has a label.
    """

    name: str
    stage: str
    config: dict[str, Any]
    changes: dict[str, Any]
    labelled: dict[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The name of its row: with its label, or what was changed."""
        label = self.labelled.get("label")
        return self.name + (f"+{label}" if label else "") + suffix(self.changes)

    def run(self, seed: int, suite: SuiteConfig, protocol: ProtocolConfig, command: list[str]) -> RunSpec:
        """The run with a seed under one protocol; `command` is that of the suite."""
        split = to_plain(protocol)
        if self.stage == "recall" and "hard" not in self.config:
            del split["candidates"]  # nothing a recall model does depends on them
        elif not protocol.shown:
            del split["candidates"]["kind"]  # records from before there was another kind keep their ids
        config = {**self.config, "dataset": suite.dataset, "protocol": split}
        only = [f"entries=[{to_text(self.labelled) if self.labelled else self.name}]", "funnels=[]"]
        if self.stage == "funnel":
            only = ["entries=[]", f"funnels=[{self.name.removeprefix('funnels/')}]"]
        changed = [f"{self.name}.{change}" for change in assignments(self.changes)]
        fold = f"protocol.fold={protocol.fold}"
        if protocol.fold is not None and fold not in command:
            only.append(fold)
        line = shlex.join([*command, f"seeds=[{seed}]", *only, *changed])
        return RunSpec(self.shown, config["model"], self.stage, seed, config, line)


@dataclass(frozen=True)
class Plan:
    """A resolved suite.

    Attributes:
        suite_name: The name of its file.
        dataset: Name of the dataset.
        protocol: The protocol of all runs.
        runs: Entries in the order of the suite, then funnels, each with every seed.
    """

    suite_name: str
    dataset: str
    protocol: ProtocolConfig
    runs: list[RunSpec]


def describe(plan: Plan) -> Table:
    """The plan as a table, one row for each entry."""
    from rich.table import Table

    windows = len(plan.protocol.each)
    each = f"{windows} windows, " if windows > 1 else ""
    title = f"{plan.suite_name}: {plan.dataset}, {plan.protocol.label}, {each}{len(plan.runs)} runs"
    table = Table("entry", "model", "seeds", title=title, title_justify="left")
    for (entry, model), runs in groupby(plan.runs, key=lambda run: (run.entry, run.model)):
        # Text with brackets, such as +params.hidden=[64], would be read as markup.
        seeds = dict.fromkeys(str(run.seed) for run in runs)
        table.add_row(*map(_escaped, (entry, model, " ".join(seeds))))
    return table


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)

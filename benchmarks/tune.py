"""Chooses numbers of a suite's entries on its validation windows: one key after another, the best value kept.

Every trial is a run with a record, so a search that was stopped goes on, and whoever doubts it can look.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from benchmarks.executor import Outcome, Setting, execute
from benchmarks.overrides import to_text
from benchmarks.plan import Plan, RunSpec
from zoo.core.errors import UserError, did_you_mean
from zoo.core.mistakes import Mistakes
from zoo.core.yaml import Node

LOWER_IS_BETTER = ("logloss/", "ece/", "/mae", "gini@")

Resolve: TypeAlias = Callable[[list[Node]], Plan]


@dataclass(frozen=True)
class Trial:
    """An entry with one value changed; with none, as it stood before the round."""

    item: Node
    key: str = ""
    value: Any = None

    @property
    def change(self) -> str:
        """`params.l2=300`; empty where nothing is changed."""
        return f"{self.key}={to_text(self.value)}" if self.key else ""


@dataclass
class Search:
    """The search for one entry, as far as it has come.

    Attributes:
        best: The trial with the best score so far.
        space: The values to try, by key in the order of the file.
        score: Of the best; None before the first trial, or if all failed.
        chosen: Changes that won, one for each key where one did.
        trials: How many there were.
    """

    best: Trial
    space: list[tuple[str, list[Node]]]
    score: float | None = None
    chosen: list[str] = field(default_factory=list)
    trials: int = 0

    @classmethod
    def of(cls, item: Node) -> Search:
        """A search for an entry of a suite that has not begun."""
        space = item.get("search")
        keys = space.children if space else {}
        return cls(Trial(item), [(key, values.value) for key, values in keys.items() if values.value])  # type: ignore[misc]

    @property
    def name(self) -> str:
        """Of the entry."""
        return str((self.best.item.get("entry") or self.best.item).value)

    def round(self, number: int) -> list[Trial]:
        """What is tried: in round 0 the entry as it is, then the values of one key a round."""
        if number == 0:
            return [self.best]
        if number > len(self.space):
            return []
        key, values = self.space[number - 1]
        return [Trial(changed(self.best.item, key, value), key, value.plain()) for value in values]

    def end(self, scores: list[tuple[Trial, float | None]]) -> None:
        """Takes in a round; a value must be better than what there was, not as good."""
        self.trials += len(scores)
        known = [(score, trial) for trial, score in scores if score is not None]
        if not known:
            return
        score, trial = max(known, key=lambda pair: pair[0])
        if self.score is None or score > self.score:
            self.best, self.score = trial, score
            self.chosen += [trial.change] if trial.key else []


def changed(item: Node, key: str, value: Node) -> Node:
    """An entry with another value at a dotted key."""
    for part in reversed(key.split(".")):
        value = Node({part: value}, value.file, value.line)
    return item.merged(value)


@dataclass(frozen=True)
class Tuner:
    """Searches for all entries side by side.

    Attributes:
        searches: One for each entry that has something to try.
        resolve: Makes a plan of entries.
        setting: Where they run.
        metric: What is chosen by, the mean over windows and seeds.
    """

    searches: list[Search]
    resolve: Resolve
    setting: Setting
    metric: str

    def __post_init__(self) -> None:
        if not self.searches:
            raise UserError("entries: found none with a search, expected `search: {params.l2: [100, 300]}`")
        if not self.metric:
            raise UserError("metric: found nothing to choose by, expected such as `metric: ndcg@10`")
        mistakes = Mistakes()
        for search in self.searches:
            for number in range(len(search.space) + 1):
                for trial in search.round(number):
                    mistakes.attempt(lambda trial=trial: self.resolve([trial.item]))  # type: ignore[misc]
        mistakes.raise_if_any()

    def run(self) -> Iterator[Outcome]:
        """Outcomes of runs as they come.

        Raises:
            UserError: A run has no such metric.
        """
        for number in range(1 + max(len(search.space) for search in self.searches)):
            rounds = [(search, search.round(number)) for search in self.searches]
            plans = {id(trial): self._keys(trial) for _, trials in rounds for trial in trials}
            changes = {
                key: trial.change for _, trials in rounds for trial in trials for key in plans[id(trial)]
            }
            specs = {key: spec for keys in plans.values() for key, spec in keys.items()}
            found: dict[str, float] = {}
            if specs:
                plan = replace(self.resolve([]), runs=list(specs.values()))
                for outcome in execute(plan, self.setting):
                    if outcome.spec.stage != "candidates" and outcome.record.status == "ok":
                        found[outcome.record.record_id] = self.score(outcome)
                    change = changes.get(outcome.record.record_id, "")
                    yield replace(outcome, spec=replace(outcome.spec, entry=f"{outcome.spec.entry} {change}"))
            for search, some in rounds:
                search.end([(trial, _mean(plans[id(trial)], found)) for trial in some])

    def score(self, outcome: Outcome) -> float:
        """The metric of a run, more of it better."""
        metrics = outcome.record.metrics
        if self.metric not in metrics:
            near = did_you_mean(self.metric, metrics)
            raise UserError(f"metric: {outcome.spec.entry} has no {self.metric!r}{near}")
        return metrics[self.metric].mean * self.sign

    @property
    def sign(self) -> int:
        """-1 where less of the metric is better."""
        return -1 if any(part in self.metric for part in LOWER_IS_BETTER) else 1

    def _keys(self, trial: Trial) -> dict[str, RunSpec]:
        return {spec.key(self.setting.fingerprint): spec for spec in self.resolve([trial.item]).runs}


def _mean(keys: dict[str, RunSpec], found: dict[str, float]) -> float | None:
    """The mean over the runs of a trial, None if one failed."""
    return statistics.fmean(found[key] for key in keys) if keys.keys() <= found.keys() else None

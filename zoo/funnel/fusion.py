"""One score from the probabilities of several tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from zoo.core.errors import UserError, did_you_mean
from zoo.core.types import Candidates, Request


@dataclass(frozen=True)
class Fusion:
    """Scores from the columns `p:<task>` that a rank model left.

    Attributes:
        formula: `weighted_sum` is `p_base + Σ w_t·p_t`, `click_times` is `p_base·(1 + Σ w_t·p_t)`.
        base: The task that comes first, such as watch or click.
        weights: By task, other than the base.
    """

    formula: Literal["weighted_sum", "click_times"]
    base: str
    weights: Mapping[str, float]

    def __call__(self, request: Request, candidates: Candidates) -> Candidates:
        """The same candidates, best first.

        Raises:
            UserError: No column has a task's probability.
        """
        base = self._probability(candidates, self.base)
        extra = sum(
            (weight * self._probability(candidates, task) for task, weight in self.weights.items()),
            base.new_zeros(()),
        )
        score = base + extra if self.formula == "weighted_sum" else base * (1 + extra)
        return candidates.with_scores(score).top(score.shape[1])

    def _probability(self, candidates: Candidates, task: str) -> Tensor:
        tasks = [name.removeprefix("p:") for name in candidates.columns if name.startswith("p:")]
        if task not in tasks:
            near = did_you_mean(task, tasks)
            raise UserError(f"fusion: no stage predicts task {task!r}{near}; predicted are {sorted(tasks)}")
        return candidates.columns[f"p:{task}"]

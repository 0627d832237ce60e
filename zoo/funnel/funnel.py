"""`Funnel`: stages one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch

from zoo.core.types import Candidates, Request
from zoo.funnel.trace import Trace

Stage: TypeAlias = Callable[[Request, Candidates], Candidates]


@dataclass(frozen=True)
class Funnel:
    """Itself a stage: every stage's candidates are the next one's input.

    Attributes:
        stages: Name and stage, in order; a stage can never bring back what an earlier one dropped.
    """

    stages: Sequence[tuple[str, Stage]]

    @torch.no_grad()
    def __call__(
        self, request: Request, candidates: Candidates | None = None, trace: Trace | None = None
    ) -> Candidates:
        """Runs all stages.

        Args:
            request: B requests.
            candidates: What to start from; nothing by default.
            trace: Filled in with every stage's output and time, if given.
        """
        flow = Candidates.empty(len(request), request.device) if candidates is None else candidates
        for name, stage in self.stages:
            started = time.perf_counter()
            flow = stage(request, flow)
            if trace is not None:
                trace.seconds[name] = time.perf_counter() - started
                trace.candidates[name] = flow
        return flow

    def upto(self, name: str) -> Funnel:
        """The stages up to and including the one called `name`."""
        names = [stage for stage, _ in self.stages]
        return Funnel(self.stages[: names.index(name) + 1])

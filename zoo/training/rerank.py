"""The base of rerankers, which have nothing to fit."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from zoo.core.types import Candidates, Request
from zoo.training.module import ZooModel


class RerankModel(ZooModel):
    """Chooses and orders the final list: itself a stage, `(Request, Candidates) → Candidates`."""

    @abstractmethod
    def forward(self, request: Request, candidates: Candidates, keep: int | None = None) -> Candidates:
        """At most `keep` candidates (by default as many as the config says) in the order to show them."""

    def configure_optimizers(self) -> Any:
        """None: there is nothing to optimise."""
        return None

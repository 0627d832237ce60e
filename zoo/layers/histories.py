"""Histories as parts of a ranker's input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.core.config import demand
from zoo.core.errors import UserError
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.layers.embedding import id_table
from zoo.layers.history import history_mean

HistoryKind = Literal["none", "lastn_mean", "din", "sim_hard", "sim_soft", "cluster"]


@dataclass(frozen=True)
class HistoryConfig:
    """How a ranker reads what a user did before.

    Attributes:
        kind: `none`, or `lastn_mean` for the mean of the newest events of each behaviour.
        behaviours: Histories that are read; the first of the schema if empty.
        length: Newest events of each.
        half_life: An event weighs half after this many newer ones; None for a plain mean.
    """

    kind: HistoryKind = "none"
    behaviours: list[str] = field(default_factory=list)
    length: int = 50
    half_life: float | None = None

    def __post_init__(self) -> None:
        demand((self.length >= 1, f"length must be at least 1, found {self.length}"))


class Histories(nn.Module):
    """Histories as vectors of the request and of each candidate.

    Args:
        schema: Names the histories.
        config: What is read of them.
        embed_dim: Of the items' embeddings.

    Attributes:
        request_dim: Width of what is known of the request, 0 if nothing.
        candidate_dim: Width of what is known of each candidate, 0 if nothing.

    Raises:
        UserError: The dataset lacks a behaviour.
    """

    def __init__(self, schema: Schema, config: HistoryConfig, embed_dim: int) -> None:
        super().__init__()
        self.request_dim = self.candidate_dim = 0
        self.names: list[str] = []
        if config.kind == "none":
            return
        if config.kind != "lastn_mean":
            raise UserError(f"history.kind: {config.kind} is not there yet")
        first = [f.of for f in schema.having("history") if f.kind == "sequence"][:1]
        found = [schema.history(behaviour) for behaviour in config.behaviours or first or [""]]
        self.names, self.length, self.half_life = [f.name for f in found], config.length, config.half_life
        self.table = id_table(found[0].vocab, embed_dim)
        self.request_dim = embed_dim * len(found)

    def attach(self, catalogue: Batch) -> None:
        """Features of all items, where a kind needs them."""

    def request(self, batch: Batch) -> Tensor:
        """`(B, request_dim)`."""
        if not self.request_dim:
            return torch.zeros(len(batch["item_id"]), 0, device=batch["item_id"].device)
        newest = [batch[name][:, : self.length] for name in self.names]
        return torch.cat([history_mean(self.table, history, self.half_life) for history in newest], dim=-1)

    def candidate(self, batch: Batch) -> Tensor:
        """`(B, K, candidate_dim)`."""
        return torch.zeros(*batch["item_id"].shape, 0, device=batch["item_id"].device)

"""A network of all features whose hidden units who asks, and for what, turn up and down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.errors import UserError
from zoo.core.registry import register
from zoo.core.schema import Feature, Schema
from zoo.core.types import Batch
from zoo.layers.embedding import FeatureEmbedding
from zoo.layers.gates import GatedMLP, Gates
from zoo.layers.heads import make_heads
from zoo.layers.histories import Histories
from zoo.layers.inputs import TwoLevelInput
from zoo.training import RankConfig, RankModel


@dataclass(frozen=True)
class PPNetConfig(RankConfig):
    """Options of `rank/ppnet`, besides those of every rank model.

    Attributes:
        embed_dim: Of every embedding.
        hidden: Widths of the network.
        gate_hidden: Hidden widths of the MLP that puts out all gates.
        prior: Features with embeddings of their own for the gates; if empty, the ids of user and item as
            far as there are any and `without` does not name them.
        dropout: In the network.
    """

    embed_dim: int = 8
    hidden: list[int] = field(default_factory=lambda: [64, 32])
    gate_hidden: list[int] = field(default_factory=lambda: [32])
    prior: list[str] = field(default_factory=list)
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        demand((bool(self.hidden), "hidden needs at least one width, for gates to have something to gate"))


@register
class PPNet(RankModel):
    """PEPNet's network of personalised parameters: an MLP whose every layer is multiplied by gates.

    The gates are `2·sigmoid(MLP(·))` of a prior, by default the ids of user and item, and of the network's
    own input, through which they send back no gradient.

    "PEPNet: Parameter and Embedding Personalized Network for Infusing with Personalized Prior Information"
    (Chang et al., KDD 2023, https://doi.org/10.1145/3580305.3599884). Unlike in the paper, all tasks share
    the gated network below their heads, and as there is one domain, no gate on embeddings (EPNet).
    """

    Config: ClassVar[type[ModelConfig]] = PPNetConfig

    def __init__(self, schema: Schema, config: PPNetConfig) -> None:
        super().__init__(schema, config)
        histories = Histories(schema, config.history, config.embed_dim)
        levels = (self.request_features, self.candidate_features)
        self.input = TwoLevelInput(*levels, histories, config.embed_dim)
        prior = self._prior(config.prior)
        of_request, of_candidate = ([f for f in prior if f.request_level is level] for level in (True, False))
        self.of_request = FeatureEmbedding(of_request, config.embed_dim) if of_request else None
        self.of_candidate = FeatureEmbedding(of_candidate, config.embed_dim) if of_candidate else None
        dim = self.input.dim + sum(part.dim for part in (self.of_request, self.of_candidate) if part)
        self.gates = Gates(dim, config.gate_hidden, config.hidden)
        self.network = GatedMLP(self.input.dim, config.hidden, config.dropout)
        self.heads = make_heads(config.head, self.outputs, self.network.dim)

    def _prior(self, names: list[str]) -> list[Feature]:
        found = [self._used[name] for name in names] if names else [*self.used("user_id", "item_id")]
        for feature in found:
            if feature.role in ("history", "event"):
                raise UserError(
                    f"rank/ppnet: prior: {feature.name!r} is a {feature.role}, expected a feature"
                )
        if not found:
            raise UserError("rank/ppnet: prior: neither the user's nor the item's id is there; name features")
        return found

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task and value."""
        x = self.input(batch)
        known = [x.detach()]
        if self.of_candidate is not None:
            known.append(self.of_candidate(batch))
        if self.of_request is not None:
            known.append(self.of_request(batch)[:, None].expand(-1, x.shape[1], -1))
        logits: dict[str, Tensor] = self.heads(self.network(x, self.gates(torch.cat(known, dim=-1))))
        return logits

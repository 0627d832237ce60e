"""A network of the item whose hidden units every user turns up and down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.errors import UserError
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.layers.gates import GatedMLP, Gates
from zoo.layers.heads import make_heads
from zoo.layers.histories import Histories
from zoo.layers.inputs import TwoLevelInput
from zoo.training import RankConfig, RankModel


@dataclass(frozen=True)
class LHUCConfig(RankConfig):
    """Options of `rank/lhuc`, besides those of every rank model.

    Attributes:
        embed_dim: Of every embedding.
        hidden: Widths of the item network.
        gate_hidden: Hidden widths of the user's MLP, which puts out all gates.
        dropout: In the item network.
    """

    embed_dim: int = 8
    hidden: list[int] = field(default_factory=lambda: [64, 32])
    gate_hidden: list[int] = field(default_factory=lambda: [32])
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        demand((bool(self.hidden), "hidden needs at least one width, for gates to have something to gate"))


@register
class LHUC(RankModel):
    """An MLP of the candidate, every layer of it multiplied by `2·sigmoid(MLP(user))`.

    Whatever is known of the request goes into the gates, which are computed once for all candidates, and
    whatever is known of a candidate, crosses included, into the network.

    "Learning Hidden Unit Contributions for Unsupervised Speaker Adaptation of Neural Network Acoustic Models"
    (Swietojanski and Renals, SLT 2014, https://doi.org/10.1109/SLT.2014.7078569). Unlike in the paper, a
    speaker is a user, and its gates are not parameters of its own but come from its features.
    """

    Config: ClassVar[type[ModelConfig]] = LHUCConfig

    def __init__(self, schema: Schema, config: LHUCConfig) -> None:
        super().__init__(schema, config)
        histories = Histories(schema, config.history, config.embed_dim)
        levels = (self.request_features, self.candidate_features)
        self.input = TwoLevelInput(*levels, histories, config.embed_dim)
        if not self.input.request_dim:
            raise UserError(
                "rank/lhuc: its gates read features of the user, the context or a history, and none is left"
            )
        self.gates = Gates(self.input.request_dim, config.gate_hidden, config.hidden)
        self.network = GatedMLP(self.input.candidate_dim, config.hidden, config.dropout)
        self.heads = make_heads(config.head, self.outputs, self.network.dim)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task and value."""
        gates = [gate[:, None] for gate in self.gates(self.input.request(batch))]
        logits: dict[str, Tensor] = self.heads(self.network(self.input.candidate(batch), gates))
        return logits

"""A user vector and an item vector whose cosine says how well they fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.core.config import ModelConfig, demand
from zoo.core.errors import UserError, did_you_mean
from zoo.core.registry import register
from zoo.core.rows import Rows
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.layers.diversity import Diversity, DiversityConfig
from zoo.layers.embedding import FeatureEmbedding, id_table
from zoo.layers.history import history_mean
from zoo.layers.spectral import spectral_items
from zoo.layers.tower import TowerKind, tower
from zoo.losses import StreamingFrequency
from zoo.training import ContrastConfig, EmbeddingRetrieval
from zoo.training.pool import Contrasting
from zoo.training.self_supervision import SelfSupervision, SelfSupervisionConfig

INIT_STD = 0.1


@dataclass(frozen=True)
class TwoTowerConfig(ContrastConfig):
    """Options of `recall/two_tower`, besides those of the training.

    Attributes:
        embed_dim: Of the vectors and the item embeddings.
        feature_dim: Of the embeddings of all other features.
        tower: `mlp`, `dcn` for crosses of the input before the MLP, or `linear`.
        num_layers: Crosses of a `dcn` tower.
        hidden: Widths of both towers' hidden layers.
        dropout: In both towers.
        init: Of the item embeddings: `random`, or `spectral` from the leading singular vectors of who chose
            what, with towers that change nothing at first. It is done once, before the first fit.
        spectral_power: Of the singular value by which each of them is scaled.
        tasks: One pair of vectors for each of these tasks, and what its cosine weighs in the score; none for
            one pair that learns from all positives.
        behaviours: Histories that the user tower averages, one mean each; none for a tower of features alone.
        history_length: Newest events of each.
        half_life: An event weighs half after this many newer ones; None for a plain mean.
        user_id: Give every known user an embedding as well.
        without: Names of features to leave out.
        ssl: Self-supervision of the item tower on all items; None for none.
        diversity: Noise on the user vector and events drawn from the history; None for neither.
    """

    embed_dim: int = 32
    feature_dim: int = 8
    tower: TowerKind = "mlp"
    num_layers: int = 2
    hidden: list[int] = field(default_factory=lambda: [64])
    dropout: float = 0.1
    init: Literal["random", "spectral"] = "random"
    spectral_power: float = 0.5
    tasks: dict[str, float] = field(default_factory=dict)
    behaviours: list[str] = field(default_factory=lambda: ["watch"])
    history_length: int = 50
    half_life: float | None = None
    user_id: bool = False
    without: list[str] = field(default_factory=list)
    ssl: SelfSupervisionConfig | None = None
    diversity: DiversityConfig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(
            (0 <= self.dropout < 1, f"dropout must be in [0, 1), found {self.dropout}"),
            (self.half_life is None or self.half_life > 0, "half_life must be above 0 or null"),
            (self.num_layers >= 1, f"num_layers must be at least 1, found {self.num_layers}"),
            *(
                (weight > 0, f"tasks must weigh more than 0, found {weight} of {name}")
                for name, weight in self.tasks.items()
            ),
        )


@register
class TwoTower(EmbeddingRetrieval):
    """A user tower and an item tower, by default trained with an in-batch softmax and log-Q correction.

    "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations" (Yi et al., RecSys 2019,
    https://doi.org/10.1145/3298689.3346996). Unlike in the paper, histories are means of the item tower's
    own ID embeddings, and each tower adds its MLP to that mean or embedding, so that it starts out as the
    similarity of items. Other trainings and negatives are options; several tasks have a pair of vectors
    each, and the score is the weighted sum of their cosines.
    """

    Config: ClassVar[type[ModelConfig]] = TwoTowerConfig
    log_q: StreamingFrequency
    begun: Tensor
    task_weights: Tensor

    def __init__(self, schema: Schema, config: TwoTowerConfig) -> None:
        super().__init__(schema, config)
        self.temperature, self.config = config.temperature, config
        self.log_q = StreamingFrequency(schema.n_items + 1)
        self.sequences = [schema.history(behaviour).name for behaviour in config.behaviours]
        self.table = id_table(schema.n_items + 1, config.embed_dim, init_std=INIT_STD)
        self.history_length, self.half_life = config.history_length, config.half_life
        diversity = config.diversity or DiversityConfig()
        self.diversity = Diversity(schema, self.sequences, config.history_length, diversity)
        schema = schema.leaving_out(config.without)
        _check_tasks(config.tasks, schema)
        roles = ("user_id", "user", "context") if config.user_id else ("user", "context")
        self.user_features = FeatureEmbedding(schema.having(*roles), config.feature_dim)
        items = schema.having("item")
        self.item_features = FeatureEmbedding(items, config.feature_dim) if items else None
        self.register_buffer("task_weights", torch.tensor([*config.tasks.values()] or [1.0]), False)
        out = config.embed_dim * len(self.task_weights)
        shape = (config.hidden, config.dropout, out, config.num_layers)
        width = config.embed_dim * len(self.sequences) + self.user_features.dim
        self.user_tower = tower(config.tower, width, *shape)
        width = config.embed_dim + (self.item_features.dim if self.item_features else 0)
        self.item_tower = tower(config.tower, width, *shape)
        features = schema.having("item_id", "item")
        names = [feature.name for feature in features]
        self.contrasting = Contrasting(config, names, self.sequences, list(config.tasks), schema.n_items)
        self.ssl = SelfSupervision(features, config.ssl) if config.ssl else None
        if config.init == "spectral":
            self.register_buffer("begun", torch.zeros((), dtype=torch.bool))
            _shrink_last(self.user_tower)
            _shrink_last(self.item_tower)

    @torch.no_grad()
    def begin(self, user: Tensor, item: Tensor) -> None:
        """Starts a fresh model from the spectrum, if that is its `init`."""
        if self.config.init == "random" or self.begun:
            return
        dim, power = self.table.embedding_dim, self.config.spectral_power
        vectors = spectral_items(user, item, self.schema.n_items, dim, power)
        there = vectors.any(dim=1)
        scale = INIT_STD * dim**0.5 / vectors[there].norm(dim=1).mean()
        self.table.weight[there] = (vectors[there] * scale).to(self.table.weight)
        self.begun.fill_(True)

    def rows(self) -> Rows:
        """What is trained on."""
        return self.config.wanted(self.history_length)

    def id_tables(self) -> dict[str, nn.Embedding]:
        """Those of items, and of users if they have any."""
        users = {name: x for name, x in self.user_features.by_feature.items() if name == "user_id"}
        return {"item_id": self.table, **users}

    def attach_catalogue(self, catalogue: Batch) -> None:
        """Takes all items, of which views are drawn and categories are known."""
        self.diversity.attach(catalogue)
        if self.ssl:
            self.ssl.attach(catalogue)

    def prepare(self, catalogue: Batch) -> None:
        """Encodes all items and builds the index."""
        self.diversity.attach(catalogue)
        super().prepare(catalogue)

    def loss(self, batch: Batch) -> Tensor:
        """As `training` and `negatives` say, and in training that of self-supervision."""
        if self.config.plain and not self.config.tasks:
            loss = super().loss(batch)
        else:
            loss = self.contrasting.loss(batch, self.encode_user(batch), self.encode_item, self.log_q)
        return loss + self.ssl(self.encode_item) if self.ssl and self.ssl.training else loss

    def query(self, batch: Batch) -> Tensor:
        """`(B, T embed_dim)` of unit length, with noise if the config says so."""
        return self.diversity.perturbed(super().query(batch), batch, self.vectors)

    def encode_user(self, batch: Batch) -> Tensor:
        """`(B, T embed_dim)`, the vectors of T tasks, or of one if none is named."""
        histories = self.diversity.histories(batch)
        means = [history_mean(self.table, history, self.half_life) for history in histories]
        profile = self.user_features(batch)
        change = self.user_tower(torch.cat([*means, profile], dim=1))
        start = torch.stack(means).sum(0) if means else change.new_zeros(1, self.table.embedding_dim)
        user = self._vectors(start, change)
        # The inner product of what a search compares is then the weighted sum of cosines.
        return (user * self.task_weights[:, None]).flatten(-2)

    def encode_item(self, batch: Batch) -> Tensor:
        """`(…, T embed_dim)`."""
        own = self.table(batch["item_id"])
        parts = [own, self.item_features(batch)] if self.item_features else [own]
        return self._vectors(own, self.item_tower(torch.cat(parts, dim=-1))).flatten(-2)

    def _vectors(self, start: Tensor, change: Tensor) -> Tensor:
        """`(…, T, embed_dim)` from `(…, embed_dim)` and `(…, T embed_dim)`; of unit length if T > 1."""
        vectors = start[..., None, :] + change.unflatten(-1, (len(self.task_weights), -1))
        return vectors if len(self.task_weights) == 1 else F.normalize(vectors, dim=-1)


def _check_tasks(tasks: Mapping[str, float], schema: Schema) -> None:
    known = [task.name for task in schema.tasks]
    for name in tasks:
        if name not in known:
            raise UserError(f"recall/two_tower: tasks: unknown task {name!r}{did_you_mean(name, known)}")


def _shrink_last(tower: nn.Module) -> None:
    """Makes a tower's output small, but not 0, or no layer before the last would learn at first."""
    last = [module for module in tower.modules() if isinstance(module, nn.Linear)][-1]
    for parameter in last.parameters():
        nn.init.normal_(parameter, std=1e-3)

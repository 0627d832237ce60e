"""Items on learned paths through layers of nodes, found by beam search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.registry import register
from zoo.core.schema import Feature, Schema
from zoo.core.topk import is_member, stable_topk, without_repeats
from zoo.core.types import Batch, Request
from zoo.layers.embedding import FeatureEmbedding, id_table
from zoo.layers.history import history_mean
from zoo.layers.mlp import MLP
from zoo.layers.paths import PathNetwork, PathScores, paths_of_vectors
from zoo.losses import StreamingFrequency, in_batch_softmax
from zoo.training import RetrievalModel


@dataclass(frozen=True)
class DeepRetrievalConfig(ModelConfig):
    """Options of `recall/deep_retrieval`.

    Attributes:
        width: Nodes per layer, K; there are K^D paths.
        num_layers: Nodes on a path, D.
        num_paths: Paths of each item, J.
        path_hidden: Width of the hidden layer of every layer's MLP.
        beam: Paths searched for a request.
        train_beam: Paths searched for every click, whose probability is counted for the item.
        kept: Paths whose score is kept for each item, S.
        decay: η of these scores for every click of the item.
        penalty: α of `α Σ_paths (items on it)^4`.
        weigh_clicks: Whether an item's likelihood counts as much as its clicks, relative to their mean.
        rounds: M-steps, one after each of the first epochs but the last, in which the paths stay.
        sweeps: Times that all items choose anew in an M-step.
        embed_dim: Of the user and item vectors that rank what was found.
        feature_dim: Of the embeddings of all other features.
        hidden: Widths of the hidden layers of user and items.
        dropout: In both.
        temperature: Divides the cosine in training.
        behaviours: Histories of the user that are averaged, one mean each.
        history_length: Newest events of each.
        half_life: An event weighs half after this many newer ones; None for a plain mean.
        without: Names of features to leave out.
    """

    width: int = 50
    num_layers: int = 3
    num_paths: int = 3
    path_hidden: int = 64
    beam: int = 30
    train_beam: int = 10
    kept: int = 20
    decay: float = 0.999
    penalty: float = 1e-5
    weigh_clicks: bool = True
    rounds: int = 100
    sweeps: int = 3
    embed_dim: int = 32
    feature_dim: int = 8
    hidden: list[int] = field(default_factory=lambda: [64])
    dropout: float = 0.1
    temperature: float = 0.1
    behaviours: list[str] = field(default_factory=lambda: ["watch"])
    history_length: int = 50
    half_life: float | None = None
    without: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        counts = ("num_layers", "path_hidden", "beam", "train_beam", "kept", "sweeps")
        demand(
            *((getattr(self, name) >= 1, f"{name} must be at least 1") for name in counts),
            (self.width >= 2, f"width must be at least 2, found {self.width}"),
            (self.width**self.num_layers < 2**40, "num_layers must leave fewer than 2^40 paths"),
            (1 <= self.num_paths <= self.width, f"num_paths must be 1 to width, found {self.num_paths}"),
            (0 < self.decay <= 1, f"decay must be in (0, 1], found {self.decay}"),
            (self.penalty >= 0, f"penalty must not be negative, found {self.penalty}"),
            (self.rounds >= 0, f"rounds must not be negative, found {self.rounds}"),
            (self.temperature > 0, f"temperature must be above 0, found {self.temperature}"),
            (0 <= self.dropout < 1, f"dropout must be in [0, 1), found {self.dropout}"),
            (self.half_life is None or self.half_life > 0, "half_life must be above 0 or null"),
        )


@register
class DeepRetrieval(RetrievalModel):
    """A user's most likely paths by beam search, and the best of the items on them by cosine.

    An item is on J paths of D nodes, `p(path | x) = p(a | x) · p(b | a, x) · p(c | a, b, x)`. An epoch
    minimises `-log Σ_j p(path_j | x)` over the clicks (E-step), then every item moves to the paths that users
    who click it are likely to take, unless they are full (M-step).

    "Deep Retrieval: Learning A Retrievable Structure for Large-Scale Recommendations" (Gao et al., CIKM 2021,
    https://arxiv.org/abs/2007.07203). Unlike in the paper, the user is a recency-weighted mean of histories
    and profile instead of a GRU, what is found is ranked by cosine, trained with an in-batch softmax, and
    paths may start from the item vectors of another model (`of`) instead of at random.
    """

    Config: ClassVar[type[ModelConfig]] = DeepRetrievalConfig
    takes_vectors: ClassVar[bool] = True
    item_paths: Tensor
    path_codes: Tensor
    path_items: Tensor
    vectors: Tensor

    def __init__(self, schema: Schema, config: DeepRetrievalConfig) -> None:
        super().__init__(schema, config)
        self.config, self.history_length = config, config.history_length
        self.sequences = [schema.history(behaviour).name for behaviour in config.behaviours]
        self.table = id_table(schema.n_items + 1, config.embed_dim, init_std=0.1)
        self.log_q = StreamingFrequency(schema.n_items + 1)
        features = schema.leaving_out(config.without)
        self.user_features, self.user_tower = self._tower(
            features.having("user", "context"), config.embed_dim * len(self.sequences)
        )
        self.item_features, self.item_tower = self._tower(features.having("item"), config.embed_dim)
        self.network = PathNetwork(config.embed_dim, config.width, config.num_layers, config.path_hidden)
        self.scores = PathScores(schema.n_items + 1, config.kept, config.decay)
        self.register_buffer("vectors", torch.zeros(0, 0), persistent=False)
        for name in ("item_paths", "path_codes", "path_items"):
            self.register_buffer(name, torch.zeros(0, dtype=torch.int64))
        # Different first nodes make different paths.
        first = torch.rand(schema.n_items, config.width).topk(config.num_paths).indices
        below = config.width ** (config.num_layers - 1)
        self._place(first * below + torch.randint(below, first.shape))

    def _tower(self, features: tuple[Feature, ...], width: int) -> tuple[FeatureEmbedding | None, MLP]:
        """An embedding of features, if there are any, and the MLP on top of it and `width` more."""
        embedding = FeatureEmbedding(features, self.config.feature_dim) if features else None
        width += embedding.dim if embedding else 0
        return embedding, MLP(width, self.config.hidden, self.config.dropout, self.config.embed_dim)

    def _place(self, paths: Tensor) -> None:
        """Puts items 1, 2, … on paths `(n_items, J)`, in both directions."""
        self.item_paths = torch.cat([paths.new_full((1, paths.shape[1]), -1), paths])
        self.path_codes, order = paths.flatten().sort(stable=True)
        self.path_items = order // paths.shape[1] + 1

    def before_fit(self, catalogue: Batch, vectors: Tensor | None = None) -> None:
        """Lets items with near vectors start on near paths, if there are vectors."""
        if vectors is not None:
            config = self.config
            args = (config.width, config.num_layers, config.num_paths)
            self._place(paths_of_vectors(vectors[1:].to(self.item_paths.device), *args))

    def encode_user(self, batch: Batch) -> Tensor:
        """`(B, embed_dim)`."""
        histories = [batch[name][:, : self.config.history_length] for name in self.sequences]
        means = [history_mean(self.table, history, self.config.half_life) for history in histories]
        profile = [self.user_features(batch)] if self.user_features else []
        return torch.stack(means).sum(0) + self.user_tower(torch.cat([*means, *profile], dim=1))

    def encode_item(self, batch: Batch) -> Tensor:
        """`(…, embed_dim)`."""
        own = self.table(batch["item_id"])
        features = [self.item_features(batch)] if self.item_features else []
        return own + self.item_tower(torch.cat([own, *features], dim=-1))

    def loss(self, batch: Batch) -> Tensor:
        """`-log Σ_j p(path_j | x)` of the clicked items, and the softmax that ranks what is found."""
        ids, user = batch["item_id"], self.encode_user(batch)
        paths = self.item_paths[ids]
        probability = self.network.log_probability(user, paths)
        if self.training and self._will_move:
            self._remember(ids, user.detach(), paths, probability.detach())
        item, log_q = self.encode_item(batch), self.log_q(ids)
        ranked = in_batch_softmax(user, item, ids, log_q, self.config.temperature)
        return ranked - probability.logsumexp(1).mean()

    @torch.no_grad()
    def _remember(self, ids: Tensor, user: Tensor, paths: Tensor, probability: Tensor) -> None:
        """Adds what the clicks say of likely paths, those their items are on included."""
        codes, likely = self.network.beam(user, self.config.train_beam)
        paths = paths.masked_fill(is_member(paths + 1, codes + 1), -1)
        both = torch.cat([likely, probability], dim=1)
        self.scores.update(ids, torch.cat([codes, paths], dim=1), both.exp())

    def on_train_epoch_end(self) -> None:
        """The M-step; not after the last epoch, so that the network knows the paths it is used with."""
        super().on_train_epoch_end()
        if self._will_move:
            self._move_items()

    @property
    def _will_move(self) -> bool:
        return self.current_epoch < min(self.config.rounds, self.fit_config.max_epochs - 1)

    def _move_items(self) -> None:
        # Here, so that numba is loaded by those alone who fit this model.
        from zoo.kernels.paths import assign

        device, shape = self.item_paths.device, self.item_paths[1:].shape
        known = self.scores.codes[1:]
        every = torch.cat([self.item_paths[1:].flatten(), known.flatten().clamp(min=0)])
        codes, number = every.unique(return_inverse=True)
        paths = number[: shape.numel()].view(shape).cpu().numpy().copy()
        choices = number[shape.numel() :].view(known.shape).masked_fill(known < 0, -1).cpu().numpy()
        loads = np.bincount(paths.ravel(), minlength=len(codes))
        scores = self.scores.values[1:].double().cpu().numpy()
        clicks = self.scores.clicks[1:].double().cpu().numpy()
        weights = clicks / clicks.mean() if self.config.weigh_clicks else np.ones_like(clicks)
        assign(paths, choices, scores, loads, weights, self.config.penalty, self.config.sweeps)
        self._place(codes[torch.from_numpy(paths).to(device)])

    @torch.no_grad()
    def prepare(self, catalogue: Batch) -> None:
        """Encodes all items."""
        self.vectors = F.normalize(self.encode_item(catalogue), dim=1)

    def item_vectors(self) -> Tensor:
        """`(n_items + 1, embed_dim)` of unit length."""
        return self.vectors

    def _on_paths(self, codes: Tensor) -> Tensor:
        """`(B, M)` the items on paths `(B, S)`, each once, in the order of the paths, 0 in between."""
        first = torch.searchsorted(self.path_codes, codes)
        after = torch.searchsorted(self.path_codes, codes, right=True)
        most = int((after - first).max()) if codes.numel() else 0
        place = first[..., None] + torch.arange(most, device=codes.device)
        items = self.path_items[place.clamp(max=len(self.path_items) - 1)]
        return without_repeats(items.masked_fill(place >= after[..., None], 0).flatten(1))

    @torch.no_grad()
    def search(self, request: Request, k: int) -> tuple[Tensor, Tensor]:
        """The best `k` of the items on the user's most likely paths, by 1 + cosine."""
        user = self.encode_user(request.features)
        items = self._on_paths(self.network.beam(user, self.config.beam)[0])
        items = F.pad(items, (0, max(0, k - items.shape[1])))
        scores = self._cosine(user, items).masked_fill(items == 0, -torch.inf)
        scores, place = stable_topk(scores, k)
        return items.gather(1, place), scores

    @torch.no_grad()
    def score(self, request: Request, ids: Tensor) -> Tensor:
        """`(B, K)` 1 + cosine, 0 for items on none of the user's most likely paths."""
        user = self.encode_user(request.features)
        codes = self.network.beam(user, self.config.beam)[0]
        paths = self.item_paths[ids]
        reached = is_member(paths.flatten(1) + 1, codes + 1).view(paths.shape).any(2)
        return self._cosine(user, ids).masked_fill(~reached, 0)

    def _cosine(self, user: Tensor, ids: Tensor) -> Tensor:
        return 1 + torch.einsum("bd,bkd->bk", F.normalize(user, dim=1), self.vectors[ids])

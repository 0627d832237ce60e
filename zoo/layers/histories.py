"""What a rank model reads of the past: one module for every kind, of one or several behaviours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast

import torch
from torch import Tensor, nn

from zoo.core.config import demand
from zoo.core.errors import UserError
from zoo.core.schema import Feature, Schema
from zoo.core.types import Batch
from zoo.layers.attention import ActivationUnit, DotAttention
from zoo.layers.events import Events, ItemVectors, taken
from zoo.layers.search import nearest, same_category

BY_CATEGORY = ("sim_hard", "cluster")


@dataclass(frozen=True)
class HistoryConfig:
    """What of the past a model sees.

    Attributes:
        kind: `none`; `lastn_mean`, a mean of the newest events; `din`, in which each candidate attends to all
            of them; `sim_hard` and `sim_soft`, in which it attends to the newest of its own category, or to
            the most like it, of many; `cluster`, in which it attends to the mean of each category.
        behaviours: Whose events, each with weights of its own; the first history of the schema if empty.
        length: Newest events used, at most as many as the dataset keeps.
        half_life: Of `lastn_mean`: an event weighs half after this many newer ones; None for a plain mean.
        item_features: Item features that count beside the id of an item.
        event_features: Whether what is known of each event (its age, what was done) counts.
        hidden: Of `din`: widths of the MLP that weighs an event, by default those of the authors' code.
        softmax: Of `din`: weights that sum to 1, unlike the paper's.
        top: Of `sim_hard` and `sim_soft`: events that a candidate attends to.
        category: Of `sim_hard` and `cluster`: the item feature that tells what is alike, of which the first
            value counts; by default the first with categories.
        clusters: Of `cluster`: most clusters; further categories share them by their remainder.
    """

    kind: Literal["none", "lastn_mean", "din", "sim_hard", "sim_soft", "cluster"] = "none"
    behaviours: list[str] = field(default_factory=list)
    length: int = 50
    half_life: float | None = None
    item_features: list[str] = field(default_factory=list)
    event_features: bool = True
    hidden: list[int] = field(default_factory=lambda: [80, 40])
    softmax: bool = False
    top: int = 50
    category: str = ""
    clusters: int = 64

    def __post_init__(self) -> None:
        half_life, mean = self.half_life, self.kind == "lastn_mean"
        demand(
            (self.length >= 1, f"length must be at least 1, found {self.length}"),
            (half_life is None or half_life > 0, f"half_life must be above 0, found {half_life}"),
            (half_life is None or mean, f"half_life is of kind lastn_mean, found kind {self.kind}"),
            (
                len(self.hidden) > 0 and min(self.hidden) >= 1,
                f"hidden must have widths of at least 1, found {self.hidden}",
            ),
            (self.top >= 1, f"top must be at least 1, found {self.top}"),
            (self.clusters >= 2, f"clusters must be at least 2, found {self.clusters}"),
            (
                not self.category or self.kind in BY_CATEGORY,
                f"category is of kind {' and '.join(BY_CATEGORY)}, found kind {self.kind}",
            ),
            (
                len(set(self.behaviours)) == len(self.behaviours),
                f"behaviours must be named once, found {', '.join(self.behaviours)}",
            ),
        )


class Histories(nn.Module):
    """Histories as parts of a model's input: the request's where all candidates share them, else theirs.

    `din` is "Deep Interest Network for Click-Through Rate Prediction" (Zhou et al., KDD 2018,
    https://doi.org/10.1145/3219819.3219823). `sim_hard` and `sim_soft` are "Search-based User Interest
    Modeling with Lifelong Sequential Behavior Data for Click-Through Rate Prediction" (Pi et al., CIKM 2020,
    https://doi.org/10.1145/3340531.3412744); unlike in the paper, the search is exact and by the embeddings
    that the model itself learns, and attention has one head. `cluster` is the attention of "TWIN V2" (Si et
    al., CIKM 2024, https://doi.org/10.1145/3627673.3680030): over means of clusters, with the logarithm of
    their sizes added to the logits; unlike there, a cluster is a category, so nothing has to be fitted, and
    new items have theirs.

    Of n events and K candidates, `din` costs K·n. `sim_hard` sorts n once and costs K·top; `cluster` adds n
    up once and costs K·clusters. `sim_soft` has one matrix product K·n, without a gradient, and costs K·top
    beyond it.

    Args:
        schema: Names histories, features of events and of items.
        config: Which of them.
        embed_dim: D, of every vector.

    Attributes:
        request_dim: Width of `request`, 0 if all is the candidates'.
        candidate_dim: Width of `candidate`, 0 if all is the request's.

    Raises:
        UserError: The schema lacks what the config asks for.
    """

    categories: Tensor

    def __init__(self, schema: Schema, config: HistoryConfig, embed_dim: int) -> None:
        super().__init__()
        self.config, self.request_dim, self.candidate_dim = config, 0, 0
        self.category: Feature | None = None
        self.register_buffer("categories", torch.zeros(0, dtype=torch.int64), persistent=False)
        if config.kind == "none":
            return
        behaviours = config.behaviours or [_first_history(schema)]
        features = [_of_items(schema, name, "item_features") for name in config.item_features]
        self.items = ItemVectors(schema.history(behaviours[0]).vocab, features, embed_dim)
        self.events = nn.ModuleList(
            Events(schema, behaviour, embed_dim, config.length, config.event_features)
            for behaviour in behaviours
        )
        if config.kind in BY_CATEGORY:
            self.category = _category(schema, config)
        width = embed_dim * len(behaviours)
        if config.kind == "lastn_mean":
            self.request_dim = width
            return
        self.candidate_dim = width
        self.attention = nn.ModuleList(
            ActivationUnit(embed_dim, config.hidden, config.softmax)
            if config.kind == "din"
            else DotAttention(embed_dim)
            for _ in behaviours
        )

    def attach(self, catalogue: Batch) -> None:
        """Takes from the features of all items, `(n_items + 1, …)`, what the kind needs."""
        if self.config.kind == "none":
            return
        self.items.attach(catalogue)
        if self.category is not None:
            values = catalogue[self.category.name]
            self.categories = values if values.dim() == 1 else values[:, 0]

    def request(self, batch: Batch) -> Tensor:
        """`(B, request_dim)`."""
        if not self.request_dim:
            return torch.zeros(len(batch["item_id"]), 0, device=batch["item_id"].device)
        half_life, several = self.config.half_life, cast("list[Events]", list(self.events))
        return torch.cat([events.mean(batch, self.items, half_life) for events in several], dim=-1)

    def candidate(self, batch: Batch) -> Tensor:
        """`(B, K, candidate_dim)`."""
        item = batch["item_id"]
        if not self.candidate_dim:
            return torch.zeros(*item.shape, 0, device=item.device)
        if self.category is not None and not len(self.categories):
            raise UserError(f"history: {self.config.kind} needs the features of items: call prepare first")
        attend = {"din": self._all, "sim_hard": self._few, "sim_soft": self._few, "cluster": self._clusters}
        query, made = self.items(item), attend[self.config.kind]
        several = cast("list[Events]", list(self.events))
        parts = [made(batch, query, *both) for both in zip(several, self.attention, strict=True)]
        return torch.cat(parts, dim=-1)

    def _all(self, batch: Batch, query: Tensor, events: Events, attention: nn.Module) -> Tensor:
        ids = events.ids(batch)
        return attention(query, events(batch, self.items, ids), ids > 0)

    def _few(self, batch: Batch, query: Tensor, events: Events, attention: nn.Module) -> Tensor:
        ids, top = events.ids(batch), self.config.top
        if self.config.kind == "sim_hard":
            place = same_category(self.categories[ids], self.categories[batch["item_id"]], top)
        else:
            with torch.no_grad():
                keys = self.items(ids)
            place = nearest(query.detach(), keys, ids > 0, top)
        chosen = taken(ids, place)
        return attention(query, events(batch, self.items, chosen, place), chosen > 0)

    def _clusters(self, batch: Batch, query: Tensor, events: Events, attention: nn.Module) -> Tensor:
        ids = events.ids(batch)
        vectors, cluster = events(batch, self.items, ids), self.categories[ids] % self.config.clusters
        size = vectors.new_zeros(len(ids), self.config.clusters).scatter_add(1, cluster, (ids > 0).float())
        total = vectors.new_zeros(*size.shape, vectors.shape[-1])
        total = total.scatter_add(1, cluster[..., None].expand_as(vectors), vectors)
        means, weight = total / size.clamp(min=1)[..., None], size.clamp(min=1).log()
        return attention(query, means[:, None], (size > 0)[:, None], weight[:, None])


def _first_history(schema: Schema) -> str:
    found = [feature.of for feature in schema.having("history") if feature.kind == "sequence"]
    if not found:
        raise UserError("history: the dataset has no history; expected kind none")
    return found[0]


def _of_items(schema: Schema, name: str, key: str) -> Feature:
    feature = schema[name]
    if feature.role != "item":
        raise UserError(f"history.{key}: {name!r} is of role {feature.role}, expected a feature of role item")
    return feature


def _category(schema: Schema, config: HistoryConfig) -> Feature:
    """The item feature that tells what is alike."""
    having = [feature for feature in schema.having("item") if feature.kind in ("categorical", "multi")]
    names = ", ".join(feature.name for feature in having) or "none"
    if config.category:
        feature = _of_items(schema, config.category, "category")
        if feature not in having:
            raise UserError(f"history.category: {feature.name!r} is a number, expected one of {names}")
        return feature
    if not having:
        text = "needs an item feature with categories; the dataset has none"
        raise UserError(f"history: kind {config.kind} {text}")
    return having[0]

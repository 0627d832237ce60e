"""From the stages that a YAML lists to a funnel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor

from zoo.core.errors import UserError, did_you_mean
from zoo.core.types import Batch
from zoo.data.store import Store
from zoo.funnel import (
    Annotate,
    Channel,
    FeatureJoin,
    Funnel,
    Fusion,
    Merge,
    Recall,
    Score,
    SeenFilter,
    Stage,
)
from zoo.training import RankModel, RerankModel, RetrievalModel, ZooModel


@dataclass
class Parts:
    """Loaded or trained models of a funnel, by entry name, from which stages are made.

    Attributes:
        models: Prepared models, in eval mode.
        store: Encoders and catalogue.
        live: Statistics of candidates, in place of the store's.
        channels: Filled in by the recall stage for the stages after it.
    """

    models: Mapping[str, ZooModel]
    store: Store
    live: Callable[[Batch, Tensor], Batch] | None = None
    channels: list[Channel] = field(default_factory=list)

    def model(self, name: str, kind: type[Any]) -> Any:
        """The model of an entry; raises `UserError` if it is of another stage."""
        model = self.models[name]
        if not isinstance(model, kind):
            raise UserError(f"funnel: entry {name!r} is a {model.stage} model, which has no place there")
        return model

    def score(self, entry: str, keep: int | None = None) -> Score:
        """The stage of a pre-rank or rank model."""
        model = self.model(entry, RankModel)
        choice, live = self.store.encoder.roles.choice, self.live or self.store.live
        join = FeatureJoin(self.store.catalogue, model.schema, choice, live)
        return Score(model.probabilities, join, keep)

    def recall(self, channels: Sequence[Mapping[str, Any]]) -> Recall:
        """The recall stage; remembers its channels."""
        for channel in channels:
            name = channel.get("name") or channel["entry"].split("/")[-1]
            model = self.model(channel["entry"], RetrievalModel)
            self.channels.append(Channel(name, model, channel["quota"]))
        return Recall(self.channels)

    def stage(self, kind: str, options: Mapping[str, Any]) -> Stage:
        """The stage that one item of a funnel's YAML stands for."""
        makers: dict[str, Callable[..., Stage]] = {
            "recall": self.recall,
            "merge": Merge,
            "exposure": SeenFilter,
            "prerank": self.score,
            "rank": self.score,
            "fusion": Fusion,
            "rerank": lambda entry, keep=None: partial(self.model(entry, RerankModel), keep=keep),
        }
        if kind not in makers:
            raise UserError(f"funnel: unknown stage {kind!r}{did_you_mean(kind, makers)}")
        return makers[kind](**options)


def build_funnel(
    stages: Sequence[Mapping[str, Mapping[str, Any]]],
    models: Mapping[str, ZooModel],
    store: Store,
    live: Callable[[Batch, Tensor], Batch] | None = None,
) -> Funnel:
    """The funnel that a YAML's list of stages describes.

    Args:
        stages: One-key mappings, as in `configs/funnels/*.yaml`.
        models: Prepared models by entry name.
        store: Encoders and catalogue.
        live: Statistics of candidates that know of more events than the store, in place of the store's.

    The channels' opinions are added as columns right before the first stage that scores.
    """
    parts = Parts(models, store, live)
    built: list[tuple[str, Stage]] = []
    for item in stages:
        ((kind, options),) = item.items()
        if kind in ("prerank", "rank") and not any(name == "columns" for name, _ in built):
            built.append(("columns", Annotate(parts.channels)))
        built.append((kind, parts.stage(kind, options)))
    return Funnel(built)


def entries_of(stages: Sequence[Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """The names of the entries that a funnel's stages use, in order."""
    for item in stages:
        for options in item.values():
            for part in (options, *options.get("channels", ())):
                if "entry" in part:
                    yield part["entry"]

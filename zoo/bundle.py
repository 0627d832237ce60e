"""A model or funnel with its encoders: raw ids and raw features in, raw ids out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from zoo.core.errors import UserError, did_you_mean
from zoo.core.schema import Schema
from zoo.core.types import Batch, Candidates, Request
from zoo.data.store import History, Store
from zoo.funnel import Annotate, Channel, FeatureJoin, Funnel, Fusion, Merge, Recall, Score, SeenFilter
from zoo.index import create_index
from zoo.training import EmbeddingRetrieval, RankModel, RerankModel, RetrievalModel, ZooModel

CHUNK = 1024
"""Rows scored at once."""


@dataclass(frozen=True)
class Recommendation:
    """One item for one user: its raw id and its score, comparable within the list only."""

    item_id: str
    score: float


@dataclass(frozen=True)
class Bundle:
    """What `load_model` and `load_funnel` return.

    Attributes:
        store: Encoders, catalogue and what known users did.
        model: The model, or None for a funnel.
        funnel: The funnel, or None for a model.
    """

    store: Store
    model: ZooModel | None = None
    funnel: Funnel | None = None

    def recommend(
        self,
        user_id: str | None = None,
        history: History | None = None,
        k: int = 10,
        profile: Mapping[str, Any] | None = None,
    ) -> list[Recommendation]:
        """The best unseen items for a user.

        Args:
            user_id: Raw id; one that is not known is served as a new user.
            history: Raw item ids, newest first, in place of what is known of the user; or a mapping of
                behaviour to such ids.
            k: Items wanted.
            profile: Raw profile features, such as `{"age": 31}`, in place of what is known.

        Raises:
            UserError: `k` is below 1, the profile or history has an unknown name, or the model cannot recommend.
        """
        if k < 1:
            raise UserError(f"k must be at least 1, found {k}")
        profiles = {name: [value] for name, value in (profile or {}).items()}
        request = self.store.request([user_id], [history], profiles)
        found = self(request, k)
        return [
            Recommendation(self.store.encoder.items[item - 1], score)
            for item, score in zip(found.ids[0].tolist(), found.scores[0].tolist(), strict=True)
            if item
        ][:k]

    @torch.no_grad()
    def __call__(self, request: Request, k: int) -> Candidates:
        """The best `k` unseen items of encoded requests; a funnel returns at most what its last stage keeps."""
        if self.funnel is not None:
            return self.funnel(request)
        if isinstance(self.model, RetrievalModel):
            return self.model.recall(request, k, request.features["seen"])
        if isinstance(self.model, RankModel):
            everything = torch.arange(1, self.model.schema.n_items + 1).expand(len(request), -1)
            unseen = SeenFilter()(request, Candidates.of(everything))
            return Score(self._predict, self._join(), k)(request, unseen)
        name = self.model.registry_name if self.model else "an empty bundle"
        raise UserError(f"{name} cannot recommend on its own: it reorders what other stages found")

    def score(self, rows: Any) -> dict[str, list[float]]:
        """Probabilities by task, or the score of a recall model, for pairs of user and item.

        Args:
            rows: A pandas or polars DataFrame, a mapping of columns, or a sequence of dicts; columns `user_id`,
                `item_id` and, in place of what is known, any profile feature.

        Raises:
            UserError: A column is missing or unknown, or a funnel was asked.
        """
        if self.model is None:
            raise UserError("a funnel scores what it recalls: use recommend, or score with one of its models")
        table = columns_of(rows)
        encoder = self.store.encoder
        for name in ("user_id", "item_id"):
            if name not in table:
                raise UserError(f"score: no column {name!r}{did_you_mean(name, table)}, found {list(table)}")
        users, items = list(map(str, table.pop("user_id"))), encoder.ids("item_id", table.pop("item_id"))
        parts: dict[str, list[float]] = {}
        for start in range(0, len(users), CHUNK):
            rows_ = slice(start, start + CHUNK)
            profiles = {name: values[rows_] for name, values in table.items()}
            request = self.store.request(users[rows_], None, profiles)
            for name, value in self._scores(request, items[rows_, None]).items():
                parts.setdefault(name, []).extend(value[:, 0].tolist())
        return parts

    @torch.no_grad()
    def _scores(self, request: Request, ids: Tensor) -> Batch:
        if isinstance(self.model, RetrievalModel):
            return {"score": self.model.score(request, ids)}
        if isinstance(self.model, RankModel):
            return self._predict(self._join()(request, Candidates.of(ids)))
        raise UserError("only recall, pre-rank and rank models score single items")

    def _join(self) -> FeatureJoin:
        assert self.model is not None
        return FeatureJoin(self.store.catalogue, self.model.schema, self.store.encoder.roles.base)

    def _predict(self, batch: Batch) -> Batch:
        """Probabilities; columns that only other stages could have made are taken to be average."""
        assert isinstance(self.model, RankModel)
        like = batch["item_id"].float()
        missing = [f for f in self.model.schema.having("column") if f.name not in batch]
        return self.model.probabilities(batch | {f.name: torch.full_like(like, f.mean) for f in missing})


@dataclass
class Parts:
    """Loaded or trained models of a funnel, by entry name, from which stages are made.

    Attributes:
        models: Prepared models, in eval mode.
        store: Encoders and catalogue.
        rank_schema: Of the pre-rank and rank models, whose crosses are computed.
        channels: Filled in by the recall stage for the stages after it.
    """

    models: Mapping[str, ZooModel]
    store: Store
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
        join = FeatureJoin(self.store.catalogue, model.schema, self.store.encoder.roles.base)
        return Score(model.probabilities, join, keep)

    def recall(self, channels: Sequence[Mapping[str, Any]]) -> Recall:
        """The recall stage; remembers its channels."""
        for channel in channels:
            name = channel.get("name") or channel["entry"].split("/")[-1]
            self.channels.append(Channel(name, self.model(channel["entry"], RetrievalModel), channel["quota"]))
        return Recall(self.channels)

    def stages(self, kind: str, options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """The stage, or stages, that one item of a funnel's YAML stands for."""
        makers = {
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
        yield kind, makers[kind](**options)


def build_funnel(stages: Sequence[Mapping[str, Mapping[str, Any]]], models: Mapping[str, ZooModel], store: Store) -> Funnel:
    """The funnel that a YAML's list of stages describes.

    Args:
        stages: One-key mappings, as in `configs/funnels/*.yaml`.
        models: Prepared models by entry name.
        store: Encoders and catalogue.

    The channels' opinions are added as columns right before the first stage that scores.
    """
    parts = Parts(models, store)
    built: list[tuple[str, Any]] = []
    for item in stages:
        ((kind, options),) = item.items()
        if kind in ("prerank", "rank") and not any(name == "columns" for name, _ in built):
            built.append(("columns", Annotate(parts.channels)))
        built += parts.stages(kind, options)
    return Funnel(built)


def save_model(model: ZooModel, store: Store, folder: str | Path, card: str = "", index: Mapping[str, Any] | None = None) -> None:
    """Saves a model with its encoders; `load_model` reads it back.

    Args:
        model: A fitted model.
        store: Encoders, catalogue and known users.
        folder: Made if need be.
        card: Text of the model card.
        index: Name and options of the index of a model with vectors.
    """
    folder = Path(folder)
    store.save(folder)
    if index:
        OmegaConf.save(OmegaConf.create(dict(index)), folder / "index.yaml")
    model.save_pretrained(folder, card)


def load_model(folder: str | Path) -> Bundle:
    """A saved model, ready to recommend and to score.

    Raises:
        UserError: The folder holds no model, or a damaged one.
    """
    folder = Path(folder)
    if not (folder / "config.json").exists():
        raise UserError(f"{folder}: no saved model there (no config.json)")
    store = Store.load(folder)
    return Bundle(store, model=_prepared(folder, store))


def save_funnel(
    stages: Sequence[Mapping[str, Mapping[str, Any]]],
    models: Mapping[str, ZooModel],
    store: Store,
    folder: str | Path,
    indexes: Mapping[str, Mapping[str, Any]] | None = None,
    card: str = "",
) -> None:
    """Saves a funnel: its models in folders, the encoders once, and `funnel.yaml`, which comes last."""
    folder = Path(folder)
    store.save(folder)
    for name, model in models.items():
        model.save_pretrained(folder / name)
        if indexes and indexes.get(name):
            OmegaConf.save(OmegaConf.create(dict(indexes[name])), folder / name / "index.yaml")
    (folder / "README.md").write_text(card or "# A FunnelZoo funnel\n\nLoad it with `zoo.load_funnel(folder)`.\n")
    OmegaConf.save(OmegaConf.create({"stages": list(stages)}), folder / "funnel.yaml.tmp")
    (folder / "funnel.yaml.tmp").replace(folder / "funnel.yaml")


def load_funnel(folder: str | Path) -> Bundle:
    """A saved funnel, ready to recommend.

    Raises:
        UserError: The folder holds no funnel, or a damaged one.
    """
    folder = Path(folder)
    if not (folder / "funnel.yaml").exists():
        raise UserError(f"{folder}: no saved funnel there (no funnel.yaml)")
    store = Store.load(folder)
    stages: Any = OmegaConf.to_container(OmegaConf.load(folder / "funnel.yaml"))
    stages = stages["stages"]
    models = {name: _prepared(folder / name, store) for name in dict.fromkeys(entries_of(stages))}
    return Bundle(store, funnel=build_funnel(stages, models, store))


def entries_of(stages: Sequence[Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """The names of the entries that a funnel's stages use, in order."""
    for item in stages:
        for options in item.values():
            for part in (options, *options.get("channels", ())):
                if "entry" in part:
                    yield part["entry"]


def _prepared(folder: Path, store: Store) -> ZooModel:
    model = ZooModel.from_pretrained(folder)
    if isinstance(model, EmbeddingRetrieval) and (folder / "index.yaml").exists():
        options: Any = OmegaConf.to_container(OmegaConf.load(folder / "index.yaml"))
        model.index = create_index(options.pop("name"), **options)
    model.prepare(store.catalogue)
    return model


def columns_of(rows: Any) -> dict[str, list[Any]]:
    """Columns of a pandas or polars DataFrame, a mapping of columns, or a sequence of dicts."""
    if isinstance(rows, Mapping):
        return {str(name): list(values) for name, values in rows.items()}
    if hasattr(rows, "columns"):
        return {str(name): rows[name].to_list() for name in rows.columns}
    names = dict.fromkeys(name for row in rows for name in row)
    return {str(name): [row.get(name) for row in rows] for name in names}

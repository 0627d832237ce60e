"""Every model of the registry in a small setting: a model that is added is tested with its defaults."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F

from tests import tiny
from zoo.core.config import FitConfig
from zoo.core.registry import STAGES, create_model, list_models
from zoo.core.schema import Schema
from zoo.core.types import Batch, Candidates, Request
from zoo.data.module import ViewData
from zoo.data.snapshot import numeric
from zoo.data.split import window
from zoo.data.store import Store
from zoo.data.training import training_view
from zoo.data.views import CandidateView, EventView, HistoryView, View
from zoo.training import CountingModel, EmbeddingRetrieval, RetrievalModel, ZooModel

# Options that lead through other code than the defaults do.
VARIANTS: dict[str, Sequence[dict[str, Any]]] = {
    "recall/popular": ({"behaviour": "like", "half_life_days": 3.0},),
    "recall/item_cf": ({"keep": "target", "activity_power": 0.5, "half_life": 3.0, "behaviour": "like"},),
    "recall/matrix_completion": ({"behaviours": ["watch"], "zero_weight": 0.5, "history_length": 20},),
    "recall/swing": ({"keep": "target", "max_users": 4, "activity_power": 0.5, "target_power": 0.5},),
    "recall/user_cf": ({"popularity": "none", "half_life": 3.0, "target_power": 0.3, "behaviour": "like"},),
    "recall/online_item_cf": ({"half_life": 3.0, "seed_power": 0.3, "behaviour": "like"},),
    "recall/online_swing": ({"max_users": 4, "neighbours": 30},),
    "recall/two_tower": (
        {"user_id": True, "behaviours": ["watch", "like"], "half_life": 3.0, "without": ["year"]},
        {"tower": "dcn", "rows": "users", "negatives": "mixed", "tasks": {"watch": 1.0, "like": 0.5}},
        {"training": "contrastive", "rows": "sets", "negatives": "all", "mask_history": True},
        {
            "ssl": {"transforms": ["related", "dropout"], "batch_size": 32},
            "diversity": {"noise": 0.3, "newest": 3, "sampled": 5, "balanced": True},
        },
        {"diversity": {"noise": 0.1, "narrowness": "category", "newest": 2, "sampled": 6}, "half_life": 9.0},
        {"init": "spectral", "hidden": [], "rows": "sets", "negatives": "uniform"},
    ),
    "recall/deep_retrieval": (
        {"width": 4, "num_layers": 2, "behaviours": ["watch", "like"], "half_life": 3.0, "without": ["year"]},
    ),
    "recall/ease": ({"neighbours": 20, "half_life": 3.0, "behaviour": "like"},),
    "recall/ials": (
        {"embed_dim": 8, "frequency_power": 0.5, "l2": 0.2, "half_life": 3.0, "behaviour": "like"},
    ),
    "recall/vector_i2i": ({"content": ["genres"], "seeds": 4, "half_life": 3.0, "behaviour": "like"},),
    "prerank/three_tower": ({"behaviour": "watch", "listwise": 0.5, "half_life": 3.0},),
    "rank/lr": ({"without": ["hour", "genres"], "listwise": 0.5},),
    "rank/dcn_v2": (
        {"structure": "stacked", "behaviour": "like", "task_weights": {"like": 2.0}},
        {
            "history": {
                "kind": "din",
                "behaviours": ["watch", "like"],
                "hidden": [8],
                "item_features": ["genres"],
            }
        },
        {"history": {"kind": "sim_soft", "top": 4}},
        {"history": {"kind": "sim_hard", "top": 4, "category": "year"}},
        {"history": {"kind": "cluster"}},
    ),
    "rank/gbdt": (
        {"num_trees": 40, "shrinkage": 0.5, "user_id": True, "row_share": 0.9, "without": ["genres"]},
    ),
    "rerank/mmr": ({"window": 2, "theta": 0.3, "scale": False},),
}


SLOW_LEARNERS = {
    "recall/two_tower": {"max_epochs": 12, "batch_size": 64, "lr": 1e-2},
    "recall/deep_retrieval": {"max_epochs": 12, "batch_size": 64, "lr": 1e-2},
    "recall/matrix_completion": {"max_epochs": 20, "batch_size": 64, "lr": 2e-2, "weight_decay": 1e-3},
}
BUILD_ON_VECTORS = {"recall/vector_i2i"}


@dataclass(frozen=True, eq=False)
class Case:
    """A model with options."""

    name: str
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def is_rank(self) -> bool:
        return self.name.startswith(("prerank/", "rank/"))

    @property
    def schema(self) -> Schema:
        return rank_data()[0] if self.is_rank else tiny.snapshot().schema

    def fresh(self, seed: int = 0) -> ZooModel:
        given = self.name in BUILD_ON_VECTORS and "content" not in self.params
        vectors = learned_vectors() if given else None
        pl.seed_everything(seed, verbose=False)
        model: ZooModel = create_model(self.name, self.schema, **self.params)
        model.attach_catalogue(tiny.snapshot().catalogue)
        if isinstance(model, RetrievalModel):
            model.before_fit(tiny.snapshot().catalogue, vectors)
        return model

    def view(self, model: ZooModel) -> View:
        if isinstance(model, CountingModel):
            return HistoryView(tiny.snapshot())
        if isinstance(model, EmbeddingRetrieval):
            return training_view(tiny.snapshot(), model.rows())
        if isinstance(model, RetrievalModel):
            return EventView(tiny.snapshot(), model.history_length)
        return rank_data()[1]


ALL = [Case(name, params) for name in list_models() for params in ({}, *VARIANTS.get(name, ()))]


def models(*stages: str) -> pytest.MarkDecorator:
    """Parametrises a test over the models of these stages, or of all."""
    chosen = [case for case in ALL if case.name.split("/")[0] in (stages or STAGES)]
    ids = [case.name + ("+" + "+".join(case.params) if case.params else "") for case in chosen]
    return pytest.mark.parametrize("case", chosen, ids=ids)


@cache
def learned_vectors() -> torch.Tensor:
    """What another model knows of the items."""
    case = Case("recall/two_tower")
    model = case.fresh()
    fit(model, case.view(model), **SLOW_LEARNERS[case.name])
    assert isinstance(model, RetrievalModel)
    return prepared(model).item_vectors()


@cache
def rank_data() -> tuple[Schema, CandidateView]:
    """The tiny candidates with two columns as channels leave them, of which one knows something."""
    schema, view = tiny.rank_data()
    draw = torch.Generator().manual_seed(1)
    noise = torch.randn(view.candidates["item_id"].shape, generator=draw)
    columns = {"item_cf:score": noise + view.candidates["label:like"], "popular:rank": noise.abs()}
    features = [numeric(name, "column", value) for name, value in columns.items()]
    return schema.extended(*features), CandidateView(view.requests, view.candidates | columns, view.catalogue)


@cache
def request() -> Request:
    """The users of the last window, new ones and one without any history among them."""
    snapshot = tiny.snapshot()
    requests = window(snapshot.events, snapshot.cut, 2**40)
    known = Request(snapshot.requests(requests) | {"seen": snapshot.history(requests, "watch")})
    new = Store.of(snapshot).request([None, "nobody"], [None, ["i1", "no such item"]])
    width = known.features["seen"].shape[1]
    seen = F.pad(new.features["seen"], (0, max(0, width - new.features["seen"].shape[1])))[:, :width]
    parts = (known.features, new.features | {"seen": seen})
    return Request({name: torch.cat([part[name] for part in parts]) for name in known.features})


@cache
def candidates() -> Candidates:
    """For each request some items with scores in no order, padding in between; one has none at all."""
    draw = torch.Generator().manual_seed(2)
    ids = torch.rand(len(request()), tiny.ITEMS, generator=draw).argsort(1)[:, :12] + 1
    ids = ids.masked_fill(torch.rand(ids.shape, generator=draw) < 0.2, 0)
    ids[0] = 0
    # Few different scores, so that there are ties.
    return Candidates.of(ids, torch.randint(1, 5, ids.shape, generator=draw).float(), 0)


@cache
def fitted(case: Case) -> ZooModel:
    """Fitted for two epochs and prepared; not to be changed."""
    model = case.fresh()
    if not case.name.startswith("rerank/"):
        fit(model, case.view(model), max_epochs=2, batch_size=32)
    return prepared(model)


def prepared(model: ZooModel) -> ZooModel:
    model.eval().prepare(tiny.snapshot().catalogue)
    return model


def fit(model: ZooModel, view: View, steps: int = -1, **options: Any) -> None:
    """As the harness does."""
    model.fit_config = FitConfig(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            max_epochs=model.fit_config.max_epochs,
            max_steps=steps,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, datamodule=ViewData(view, model.fit_config.batch_size, seed=0))


def rank_batch(rows: Sequence[int] | None = None) -> Batch:
    view = rank_data()[1]
    return view.batch(torch.arange(len(view)) if rows is None else torch.tensor(rows))


def longer(batch: Batch, slots: int = 4) -> Batch:
    """The same histories with more padding."""
    wide = {"seen", *(name for name in batch if name.startswith(("history:", "age:")))}
    return {name: F.pad(value, (0, slots)) if name in wide else value for name, value in batch.items()}


def scores(model: ZooModel, case: Case) -> list[torch.Tensor]:
    """Whatever a model says."""
    if case.is_rank:
        with torch.no_grad():
            return list(model(rank_batch()).values())
    if case.name.startswith("rerank/"):
        ranked = model(request(), candidates())
        return [ranked.ids, ranked.scores]
    ids = torch.arange(1, tiny.ITEMS + 1).expand(len(request()), -1)
    return [
        model.score(request(), ids),
        *model.columns(request(), ids).values(),
        *model.search(request(), 10),
    ]

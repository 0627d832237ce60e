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
from zoo.data.views import CandidateView, HistoryView, View
from zoo.training import CountingModel, EmbeddingRetrieval, ZooModel

# Options that lead through other code than the defaults do.
VARIANTS: dict[str, Sequence[dict[str, Any]]] = {
    "recall/popular": ({"behaviour": "like", "half_life_days": 3.0},),
    "recall/item_cf": ({"keep": "target", "activity_power": 0.5, "half_life": 3.0, "behaviour": "like"},),
    "recall/matrix_completion": ({"behaviours": ["watch"], "zero_weight": 0.5, "history_length": 20},),
    "recall/two_tower": (
        {"user_id": True, "behaviours": ["watch", "like"], "half_life": 3.0, "without": ["year"]},
        {"tower": "dcn", "rows": "users", "negatives": "mixed", "tasks": {"watch": 1.0, "like": 0.5}},
        {"training": "contrastive", "rows": "sets", "negatives": "all", "mask_history": True},
        {"init": "spectral", "tower": "linear", "rows": "sets", "negatives": "uniform"},
    ),
    "prerank/three_tower": ({"behaviour": "watch", "listwise": 0.5, "half_life": 3.0},),
    "rank/lr": ({"without": ["hour", "genres"], "listwise": 0.5},),
    "rank/dcn_v2": ({"structure": "stacked", "behaviour": "like", "task_weights": {"like": 2.0}},),
    "rerank/mmr": ({"window": 2, "theta": 0.3, "scale": False},),
}


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
        pl.seed_everything(seed, verbose=False)
        model: ZooModel = create_model(self.name, self.schema, **self.params)
        return model

    def view(self, model: ZooModel) -> View:
        if isinstance(model, CountingModel):
            return HistoryView(tiny.snapshot())
        if isinstance(model, EmbeddingRetrieval):
            return training_view(tiny.snapshot(), model.rows())
        return rank_data()[1]


ALL = [Case(name, params) for name in list_models() for params in ({}, *VARIANTS.get(name, ()))]


def models(*stages: str) -> pytest.MarkDecorator:
    """Parametrises a test over the models of these stages, or of all."""
    chosen = [case for case in ALL if case.name.split("/")[0] in (stages or STAGES)]
    ids = [case.name + ("+" + "+".join(case.params) if case.params else "") for case in chosen]
    return pytest.mark.parametrize("case", chosen, ids=ids)


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

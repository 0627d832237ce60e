"""A small made-up log and a model of every stage fitted on it, for tests of what is saved and served."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytorch_lightning as pl
import torch

from zoo import create_model
from zoo.bundle import save_funnel, save_model
from zoo.core.schema import Schema
from zoo.core.topk import is_member
from zoo.core.types import Batch, Candidates, Request
from zoo.data.encode import Encoder
from zoo.data.log import Log
from zoo.data.module import ViewData
from zoo.data.roles import BehaviourConfig, FeatureConfig, SchemaConfig
from zoo.data.snapshot import Snapshot
from zoo.data.split import Events, window
from zoo.data.store import Store
from zoo.data.training import training_view
from zoo.data.views import CandidateView, HistoryView, View
from zoo.funnel import FeatureJoin
from zoo.funnel.features import crosses
from zoo.training import CountingModel, EmbeddingRetrieval, RerankModel, ZooModel

USERS, ITEMS, EVENTS = 40, 60, 1200
ROLES = SchemaConfig(
    user={"age": FeatureConfig("numeric", bins=4), "gender": FeatureConfig("categorical")},
    item={"year": FeatureConfig("numeric", bins=4), "genres": FeatureConfig("multi", length=2)},
    context={"hour": FeatureConfig("categorical", of="time")},
    behaviours={"watch": BehaviourConfig(), "like": BehaviourConfig("rating >= 4")},
)
CHANNELS = ("popular", "item_cf", "two_tower")
STAGES = [
    {"recall": {"channels": [{"entry": f"recall/{name}", "quota": 30} for name in CHANNELS]}},
    {"merge": {"total": 50}},
    {"exposure": {}},
    {"prerank": {"entry": "prerank/three_tower", "keep": 20}},
    {"rank": {"entry": "rank/dcn_v2"}},
    {"fusion": {"formula": "click_times", "base": "watch", "weights": {"like": 1.0}}},
    {"rerank": {"entry": "rerank/mmr", "keep": 10}},
]  # fmt: skip


@cache
def log() -> Log:
    """Two crowds that each keep to their own half of the items, `i0` to `i29` and `i30` to `i59`."""
    draw = np.random.default_rng(0)
    user = draw.integers(USERS, size=EVENTS)
    item = (user % 2) * (ITEMS // 2) + draw.integers(ITEMS // 2, size=EVENTS)
    pairs = {(u, i): t for t, (u, i) in enumerate(zip(user.tolist(), item.tolist(), strict=True))}
    return Log.of(
        events=pa.table(
            {
                "user_id": [f"u{u}" for u, _ in pairs],
                "item_id": [f"i{i}" for _, i in pairs],
                "time": [1_000_000_000 + 3600 * t for t in pairs.values()],
                "rating": draw.integers(1, 6, size=len(pairs)).astype(float),
            }
        ),
        users=pa.table(
            {
                "user_id": [f"u{u}" for u in range(USERS)],
                "age": draw.integers(18, 70, size=USERS),
                "gender": [("F", "M")[u % 2] for u in range(USERS)],
            }
        ),
        items=pa.table(
            {
                "item_id": [f"i{i}" for i in range(ITEMS)],
                "year": draw.integers(1960, 2000, size=ITEMS),
                "genres": [[("Drama", "Comedy", "War")[i % 3]] for i in range(ITEMS)],
            }
        ),
    )


@cache
def snapshot(share: float = 0.9) -> Snapshot:
    """What is known after a share of the events."""
    events = Events.of(log(), ROLES)
    known = (events.before(events.cut(0.9)) > events.offsets[:-1]).nonzero().squeeze(1)
    return Snapshot.at(log(), events, Encoder.fit(log(), ROLES, known), events.cut(share), history_length=30)


@cache
def rank_data() -> tuple[Schema, CandidateView]:
    """Ten drawn items for each request of the last window before the cut, and all that were watched."""
    earlier = snapshot(0.7)
    schema = earlier.schema.extended(*crosses(earlier.schema))
    requests = window(earlier.events, earlier.cut, snapshot().cut)
    features = earlier.requests(requests)
    watched = earlier.answers(requests, "watch")
    drawn = torch.randint(1, ITEMS + 1, (len(requests), 10), generator=torch.Generator().manual_seed(0))
    drawn = drawn.masked_fill(is_member(drawn, watched), 0)
    ids = torch.cat([watched, drawn], dim=1)
    joined = FeatureJoin(earlier.catalogue, schema, "watch")(Request(features), Candidates.of(ids))
    candidates: Batch = {name: joined[name] for name in joined if name not in features}
    for task in schema.tasks:
        answers = earlier.answers(requests, task.name)
        candidates[f"label:{task.name}"] = is_member(ids, answers).float()
    return schema, CandidateView(features, candidates, earlier.catalogue)


@cache
def model(name: str) -> ZooModel:
    """The model of this name, fitted for one epoch."""
    pl.seed_everything(0, verbose=False)
    is_rank = name.startswith(("prerank/", "rank/"))
    schema = rank_data()[0] if is_rank else snapshot().schema
    made: ZooModel = create_model(name, schema)
    if not isinstance(made, RerankModel):
        _fit(made, rank_data()[1] if is_rank else _view(made))
    made.eval().prepare(snapshot().catalogue)
    return made


def _view(made: ZooModel) -> View:
    if isinstance(made, CountingModel):
        return HistoryView(snapshot())
    assert isinstance(made, EmbeddingRetrieval)
    return training_view(snapshot(), made.rows())


def _fit(made: ZooModel, view: View) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(made, datamodule=ViewData(view, batch_size=64))


def save(folder: Path) -> None:
    """Writes `two_tower/`, `item_cf/`, `dcn_v2/` and `funnel/` to `folder`."""
    store = Store.of(snapshot())
    for name in ("recall/two_tower", "recall/item_cf", "rank/dcn_v2"):
        save_model(model(name), store, folder / name.split("/")[1])
    used = [f"recall/{name}" for name in CHANNELS]
    names = (*used, "prerank/three_tower", "rank/dcn_v2", "rerank/mmr")
    save_funnel(STAGES, {name: model(name) for name in names}, store, folder / "funnel")

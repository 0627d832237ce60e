"""Statistics and features of events from the YAML to a fitted and saved funnel, on a small made-up log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from tiny_world import PROTOCOL, runner, spec
from torch import Tensor

from benchmarks import latency
from benchmarks.datasets import DatasetConfig
from benchmarks.run import Runner
from benchmarks.world import World
from tests import tiny
from zoo.bundle import Bundle, load_funnel
from zoo.core.registry import create_model, list_models
from zoo.core.types import Batch, Candidates
from zoo.data.roles import FeatureConfig
from zoo.data.snapshot import Snapshot
from zoo.data.windows import StatisticsConfig
from zoo.funnel import FeatureJoin

FULL = replace(
    tiny.ROLES,
    statistics=StatisticsConfig(["7d", "12h"], cross=["genres"]),
    event={
        "rating": FeatureConfig("categorical"),
        "age": FeatureConfig("numeric", transform="log", of="time"),
    },
)
KINDS = [f"{kind}:{window}" for kind in ("count", "rate:like") for window in ("7d", "12h")]
COLUMNS = [f"{prefix}_{kind}" for prefix in ("item", "user_genres") for kind in KINDS]


@cache
def world() -> World:
    return World(DatasetConfig(FULL, canonical="0" * 64, name="tiny"), PROTOCOL, tiny.log())


def test_snapshots_share_what_is_counted() -> None:
    earlier, _ = world().split.earlier()[0]
    assert world().snapshot(earlier).statistics is world().snapshot().statistics


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A runner whose fitted models are shared by the tests."""
    return runner(tmp_path_factory.mktemp("runs"), world())


def test_candidates_carry_the_statistics_of_their_request(own: Runner) -> None:
    data = own.components.candidates(spec("rank/lr").config, 0)
    ids, live = data.test.candidates["item_id"], world().snapshot().live
    assert live is not None and (ids > 0).sum() > 100
    for name, values in live(world().measured.features, ids).items():
        assert data.test.candidates[name][ids > 0].equal(values[ids > 0]), name
    train = data.train.candidates
    for name in COLUMNS:  # scaled as the training windows saw them
        mean = float(train[name][train["item_id"] > 0].mean())
        assert data.schema[name].mean == pytest.approx(mean, abs=1e-5)
    roles = {name: (data.schema[name].role, data.schema[name].of) for name in COLUMNS}
    assert roles == {
        name: ("cross", "genres") if name.startswith("user") else ("item_stat", "") for name in COLUMNS
    }
    assert not {f.name for f in data.schema.having("column")} & set(COLUMNS)


def test_a_ranker_scores_with_the_stores_statistics(own: Runner) -> None:
    config = spec("rank/lr").config
    model, store, snapshot = own.components.rank(config, config, 0), world().store, world().snapshot()
    user, item = world().encoder.users[3], "i7"
    join = FeatureJoin(snapshot.catalogue, model.schema, "watch", snapshot.live)
    ids = store.encoder.ids("item_id", [item])[:, None]
    batch = join(store.request([user]), Candidates.of(ids))
    like = batch["item_id"].float()
    batch |= {f.name: torch.full_like(like, f.mean) for f in model.schema.having("column")}
    expected = {name: p.item() for name, p in model.probabilities(batch).items()}
    found = Bundle(store, model=model).score({"user_id": [user], "item_id": [item]})
    assert {name: values[0] for name, values in found.items()} == pytest.approx(expected, abs=1e-6)


def test_a_funnel_is_measured_and_served(
    own: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("by_stage", "throughput"):
        monkeypatch.setattr(latency, name, lambda *_: {})
    asked: list[Batch] = []
    live = Snapshot.live.fget  # type: ignore[attr-defined]

    def counted(snapshot: Snapshot) -> Callable[[Batch, Tensor], Batch]:
        return lambda request, ids: asked.append(request) or live(snapshot)(request, ids)  # type: ignore[func-returns-value]

    monkeypatch.setattr(Snapshot, "live", property(counted))
    own.run(spec("funnel"), tmp_path)
    # As of the moment of each request, which is behind the end of what the store knows.
    assert asked and max(int(request["now"].max()) for request in asked) > world().moment.time
    served = load_funnel(tmp_path / "funnel")
    assert len({one.item_id for one in served.recommend(world().encoder.users[0])}) == 10
    assert served.recommend(None, ["i1", "i2"]) and served.store.statistics is not None


@pytest.mark.parametrize("name", list_models())
def test_models_leave_features_of_events_alone_unless_they_ask(name: str) -> None:
    schema = world().snapshot().schema
    assert schema.having("event")
    plain = schema.leaving_out([f.name for f in schema.having("event")])
    shapes = [
        {key: value.shape for key, value in create_model(name, one).state_dict().items()}
        for one in (schema, plain)
    ]
    assert shapes[0] == shapes[1]

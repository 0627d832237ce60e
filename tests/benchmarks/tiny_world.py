"""The made-up log of `tests.tiny` as a dataset under a protocol, and the runs of a small suite on it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.components import Components
from benchmarks.datasets import DatasetConfig
from benchmarks.fit import Artifacts
from benchmarks.plan import RunSpec
from benchmarks.protocols import CandidatesConfig, ProtocolConfig
from benchmarks.run import Runner
from benchmarks.world import World
from tests import tiny
from zoo.core.check import to_plain
from zoo.core.config import FitConfig
from zoo.core.registry import model_class
from zoo.data.log import Log

CHANNELS = ["recall/popular", "recall/item_cf", "recall/two_tower"]
PROTOCOL = ProtocolConfig(
    CandidatesConfig(CHANNELS, quota=20, from_recall=8, uniform=8, cuts=[0.5, 0.65]),
    name="tiny",
    recall_at=[5, 20],
    ndcg_at=[10],
    history_length=30,
)


def world(log: Log | None = None, protocol: ProtocolConfig = PROTOCOL) -> World:
    config = DatasetConfig(tiny.ROLES, canonical="0" * 64, name="tiny")
    return World(config, protocol, log or tiny.log())


@cache
def entry(model: str) -> dict[str, Any]:
    params = to_plain(model_class(model).Config())
    return {"model": model, "params": params, "fit": to_plain(FitConfig(batch_size=64)), "index": None}


def spec(model: str, seed: int = 0) -> RunSpec:
    channels = {name: entry(name) for name in CHANNELS}
    shared = {"dataset": "tiny", "protocol": to_plain(PROTOCOL)}
    if model == "funnel":
        others = ("prerank/three_tower", "rank/dcn_v2", "rerank/mmr")
        entries = channels | {name: entry(name) for name in others}
        config = {"model": "funnel", "stages": tiny.STAGES, "entries": entries, **shared}
        return RunSpec("funnels/tiny", "funnel", "funnel", seed, config, "x")
    stage = model.split("/")[0]
    config = {**entry(model), **shared, **({} if stage == "recall" else {"entries": channels})}
    return RunSpec(model, model, stage, seed, config, "x")


def runner(folder: Path, of: World | None = None) -> Runner:
    of = of or world()
    return Runner(of, Components(of, Artifacts(folder / "artifacts"), "0" * 64))

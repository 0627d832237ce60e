"""The fitted models and frozen candidates that runs are made of, each made once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.candidates import CandidateMaker, RankData, rank_schema, recipe, stacked
from benchmarks.fit import Artifacts, fit, new_model
from benchmarks.machine import PeakMemory
from benchmarks.splits import Moment
from benchmarks.world import World
from zoo.core.errors import UserError
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.data.views import CandidateView, EventView, HistoryView, View
from zoo.index import create_index
from zoo.training import CountingModel, EmbeddingRetrieval, RankModel, RetrievalModel, ZooModel

Entry: TypeAlias = Mapping[str, Any]
"""A resolved entry: model, params, fit, index, and `of`, another one, where it builds on that."""


@dataclass
class Components:
    """Fits or finds the models of one dataset and protocol.

    Attributes:
        world: The dataset under the protocol.
        artifacts: Where fitted models and candidates are kept.
        fingerprint: Of the dataset.
    """

    world: World
    artifacts: Artifacts
    fingerprint: str
    _models: dict[str, ZooModel] = field(default_factory=dict)

    def recall(self, entry: Entry, seed: int, moment: Moment | None = None) -> RetrievalModel:
        """A recall entry fitted on what is known at a moment, by default all before the measured window."""
        snapshot = self.world.snapshot(moment)

        def view(model: ZooModel) -> View:
            if isinstance(model, CountingModel):
                return HistoryView(snapshot)
            assert isinstance(model, RetrievalModel)
            return EventView(snapshot, model.history_length)

        key = self._recipe(entry, seed) | {"moment": (moment or self.world.moment).name}
        model = self._fitted(entry, snapshot.schema, seed, key, view, moment)
        assert isinstance(model, RetrievalModel)
        return model

    def rank(self, entry: Entry, config: Entry, seed: int) -> RankModel:
        """A pre-rank or rank entry fitted on the training candidates of a run's config."""
        data = self.candidates(config, seed)
        key = self._recipe(entry, seed) | {"data": recipe(config, self.fingerprint, seed)}
        model = self._fitted(entry, data.schema, seed, key, lambda _: data.train)
        assert isinstance(model, RankModel)
        return model

    def of_funnel(self, name: str, config: Entry, seed: int) -> ZooModel:
        """The fitted model of an entry of a funnel."""
        entry = config["entries"][name]
        stage = entry["model"].split("/")[0]
        if stage == "recall":
            return self.recall({**entry, "index": _index(name, config) or entry.get("index")}, seed)
        if stage == "rerank":
            model = new_model(entry, self.world.snapshot().schema, seed).eval()
            model.prepare(self.world.snapshot().catalogue)
            return model
        return self.rank(entry, config, seed)

    def candidates(self, config: Entry, seed: int) -> RankData:
        """The candidates of a run after recall, made once for each seed and set of channels."""

        def make(folder: Path) -> None:
            self._make_candidates(config, seed).save(folder)

        folder = self.artifacts.folder(recipe(config, self.fingerprint, seed), make)
        return RankData.load(folder, self.world.snapshot().catalogue)

    def _make_candidates(self, config: Entry, seed: int) -> RankData:
        world, snapshot = self.world, self.world.snapshot()
        maker = CandidateMaker(world, seed)
        names = world.protocol.candidates.channels
        earlier = world.split.earlier()
        if not earlier:
            kind = world.protocol.split.kind
            raise UserError(
                f"a {kind} split has no earlier requests for models after recall to be trained on"
            )
        parts: list[tuple[Batch, Batch]] = []
        for moment, asked in [*earlier, (world.moment, world.requests)]:
            models = {name: self.recall(config["entries"][name], seed, moment) for name in names}
            parts.append(maker.window(moment, asked, models))
        requests, candidates = ([part[i] for part in parts] for i in (0, 1))
        train = stacked(candidates[:-1])
        static = {f.name: snapshot.catalogue[f.name] for f in snapshot.schema.having("item")}
        return RankData(
            rank_schema(snapshot.schema, train),
            CandidateView(stacked(requests[:-1]), train, static),
            CandidateView(requests[-1], candidates[-1], static),
        )

    def _fitted(
        self,
        entry: Entry,
        schema: Schema,
        seed: int,
        key: Mapping[str, Any],
        view: Callable[[ZooModel], View],
        moment: Moment | None = None,
    ) -> ZooModel:
        """A model from the artifacts, fitted now if it is not there; prepared, with its entry's index."""

        def make(folder: Path) -> None:
            # First, as whoever it builds on draws random numbers too.
            vectors = self.recall(entry["of"], seed, moment).item_vectors() if "of" in entry else None
            model = new_model(entry, schema, seed)
            if isinstance(model, RetrievalModel):
                model.before_fit(self.world.snapshot(moment).catalogue, vectors)
            with PeakMemory() as memory:
                started = time.perf_counter()
                fit(model, view(model), seed)
                cost = {"seconds": time.perf_counter() - started, "peak_memory_mib": memory.peak_mib()}
            model.save_pretrained(folder)
            (folder / "cost.json").write_text(json.dumps(cost))

        folder = self.artifacts.folder(key, make)
        name = f"{folder.name} {entry.get('index')}"
        if name not in self._models:
            model = ZooModel.from_pretrained(folder)
            if isinstance(model, EmbeddingRetrieval) and entry.get("index"):
                model.index = create_index(**entry["index"])
            model.prepare(self.world.snapshot(moment).catalogue)
            model.cost = json.loads((folder / "cost.json").read_text())
            self._models[name] = model
        return self._models[name]

    def _recipe(self, entry: Entry, seed: int) -> dict[str, Any]:
        protocol = self.world.protocol
        split = {
            "tie_seed": protocol.tie_seed,
            "history_length": protocol.history_length,
            "moment": self.world.moment.name,
        }
        own = {name: entry[name] for name in ("model", "params", "fit", "of") if name in entry}
        return {"what": "model", "entry": own, "split": split, "dataset": self.fingerprint, "seed": seed}


def _index(name: str, config: Entry) -> Mapping[str, Any] | None:
    """The index that a funnel's recall stage gives to an entry, if any."""
    stages: Sequence[Mapping[str, Any]] = config["stages"]
    channels = next(stage["recall"] for stage in stages if "recall" in stage)["channels"]
    return next((channel.get("index") for channel in channels if channel["entry"] == name), None)

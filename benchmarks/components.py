"""The fitted models and frozen candidates that runs are made of, each made once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.candidates import CandidateMaker, RankData, rank_schema, recipe, stacked
from benchmarks.fit import Artifacts, fit, new_model
from benchmarks.hard import HardMaker
from benchmarks.machine import PeakMemory
from benchmarks.shown import ShownData
from benchmarks.splits import Moment
from benchmarks.world import World
from zoo.core.check import to_plain
from zoo.core.errors import UserError
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.data.snapshot import Snapshot
from zoo.data.training import training_view
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
            hard = entry.get("hard")
            if isinstance(model, EmbeddingRetrieval):
                return self._embedding_view(model, snapshot, hard, seed, moment)
            if hard:
                raise UserError(f"{entry['model']} learns from no negatives: remove hard")
            if isinstance(model, CountingModel):
                return HistoryView(snapshot)
            assert isinstance(model, RetrievalModel)
            return EventView(snapshot, model.history_length)

        key = self._recipe(entry, seed) | {"moment": (moment or self.world.moment).name}
        model = self._fitted(entry, snapshot.schema, seed, key, view, moment)
        assert isinstance(model, RetrievalModel)
        return model

    def _embedding_view(
        self, model: EmbeddingRetrieval, snapshot: Snapshot, hard: Any, seed: int, moment: Moment | None
    ) -> View:
        """The rows that an embedding model asks for, with hard negatives if its entry does."""
        rows = model.rows()
        view = training_view(snapshot, rows)
        if not hard:
            return view
        if rows.unit != "events":
            raise UserError(
                f"hard negatives are of single events: params.rows must be events, found {rows.unit}"
            )
        events = EventView(snapshot, rows.history_length, rows.behaviour)
        return HardMaker(self, hard, seed).view(view, events, moment)

    def rank(self, entry: Entry, config: Entry, seed: int, moment: Moment | None = None) -> RankModel:
        """A pre-rank or rank entry fitted on the rows that were shown, or on candidates as of a moment."""
        data: RankData | ShownData
        if self.world.protocol.shown:
            data, rows = self.shown, config["protocol"]
        else:
            data, rows = self.candidates(config, seed, moment), self._candidates(config, seed, moment)
        key = self._recipe(entry, seed) | {"data": rows}
        model = self._fitted(entry, data.schema, seed, key, lambda _: data.train, moment)
        assert isinstance(model, RankModel)
        return model

    def of_funnel(self, name: str, config: Entry, seed: int, moment: Moment | None = None) -> ZooModel:
        """The model of an entry of a funnel, fitted as of a moment."""
        entry = config["entries"][name]
        stage = entry["model"].split("/")[0]
        if stage == "recall":
            return self.recall({**entry, "index": _index(name, config) or entry.get("index")}, seed, moment)
        if stage == "rerank":
            model = new_model(entry, self.world.snapshot().schema, seed).eval()
            model.prepare(self.world.snapshot(moment).catalogue)
            return model
        return self.rank(entry, config, seed, moment)

    @cached_property
    def shown(self) -> ShownData:
        """What was shown, made once for all runs."""
        return ShownData.of(self.world)

    def candidates(self, config: Entry, seed: int, moment: Moment | None = None) -> RankData:
        """The candidates of a run after recall, made once for each seed and set of channels.

        Args:
            config: Of the run.
            seed: Of recall and of the draw.
            moment: When an earlier window starts, to have that one measured and those before it for training.
        """

        def make(folder: Path) -> None:
            self._make_candidates(config, seed, moment or self.world.moment).save(folder)

        folder = self.artifacts.folder(self._candidates(config, seed, moment), make)
        return RankData.load(folder, self.world.snapshot().catalogue)

    def _candidates(self, config: Entry, seed: int, moment: Moment | None) -> dict[str, Any]:
        """All that the candidates as of a moment depend on."""
        before = {"before": moment.name} if moment else {}
        return recipe(config, self.fingerprint, seed) | before

    def _make_candidates(self, config: Entry, seed: int, until: Moment) -> RankData:
        world, snapshot = self.world, self.world.snapshot()
        maker = CandidateMaker(world, seed)
        names = maker.config.channels
        windows = [*world.split.earlier(), (world.moment, world.requests)]
        windows = windows[: 1 + [moment.name for moment, _ in windows].index(until.name)]
        if len(windows) == 1:
            kind = world.protocol.split.kind
            raise UserError(
                f"a {kind} split has no earlier requests for models after recall to be trained on"
            )
        parts: list[tuple[Batch, Batch]] = []
        for moment, asked in windows:
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
        own = {name: entry[name] for name in ("model", "params", "fit", "hard", "of") if name in entry}
        if "hard" in entry:
            split["candidates"] = to_plain(protocol.candidates)
        return {"what": "model", "entry": own, "split": split, "dataset": self.fingerprint, "seed": seed}


def _index(name: str, config: Entry) -> Mapping[str, Any] | None:
    """The index that a funnel's recall stage gives to an entry, if any."""
    stages: Sequence[Mapping[str, Any]] = config["stages"]
    channels = next(stage["recall"] for stage in stages if "recall" in stage)["channels"]
    return next((channel.get("index") for channel in channels if channel["entry"] == name), None)

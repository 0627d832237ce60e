"""One run: fit what it needs, measure it, and say what it took."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from benchmarks import evaluate, latency
from benchmarks.candidates import CandidateMaker, RankData, rank_schema, recipe, stacked
from benchmarks.evaluate import Measured
from benchmarks.fit import Artifacts, fit, new_model
from benchmarks.machine import PeakMemory
from benchmarks.plan import RunSpec
from benchmarks.world import World, segment_names
from zoo.bundle import build_funnel, entries_of, save_funnel, save_model
from zoo.core.errors import UserError
from zoo.core.types import Batch, Candidates, Request
from zoo.data.views import CandidateView, EventView, HistoryView, View
from zoo.funnel import Trace
from zoo.index import create_index
from zoo.training import EmbeddingRetrieval, RankModel, RetrievalModel, ZooModel

EVAL_CHUNK = 64
"""Requests evaluated at once; no metric depends on it."""


@dataclass
class Runner:
    """Runs the specs of one dataset and protocol in this process.

    Attributes:
        world: The dataset under the protocol.
        artifacts: Where fitted models and candidates are kept.
        fingerprint: Of the dataset.
    """

    world: World
    artifacts: Artifacts
    fingerprint: str
    _models: dict[str, ZooModel] = field(default_factory=dict)

    def run(self, spec: RunSpec, folder: Path) -> tuple[Measured, dict[str, float]]:
        """Makes and measures what a spec describes, and saves it to `folder`.

        Returns:
            What was measured, and the population it was measured on.
        """
        population = self.world.population()
        if spec.stage == "recall":
            return self._recall(spec, folder), population
        if spec.stage == "funnel":
            return self._funnel(spec, folder), population
        data = self.rank_data(spec.config, spec.seed)
        sizes = {"candidates": int((data.test.candidates["item_id"] > 0).sum())}
        if spec.stage == "rerank":
            raise UserError(f"{spec.entry}: a reranker is measured in a funnel, list it in one")
        return self._rank(spec, data, folder), population | sizes

    def _recall(self, spec: RunSpec, folder: Path) -> Measured:
        model = self.recall_model(spec.config, spec.seed)
        k = max(self.world.protocol.recall_at)
        ids = self._lists(lambda request: model.recall(request, k, request.features["seen"]))
        measured = self._measure_lists(ids)
        self._measure_fit(measured, model)

        def serve(request: Request) -> Candidates:
            return model.recall(request, k, request.features["seen"])

        measured.add_numbers(latency.single(serve, self.world.measured))
        measured.add_numbers(latency.throughput(serve, self.world.measured))
        if isinstance(model, EmbeddingRetrieval):
            queries = model.encode_user(self.world.measured.features).detach()
            found = model.index.recall_against_exact(queries, k)["recall"]
            measured.add_numbers({f"index/recall@{k}": found, "index/build_seconds": model.index.stats["build_seconds"]})
        save_model(model, self.world.store, folder / "model", card(spec, measured), spec.config.get("index"))
        return measured

    def _rank(self, spec: RunSpec, data: RankData, folder: Path) -> Measured:
        model = self.rank_model(spec.config, spec.seed, data)
        rows = torch.arange(len(data.test))
        with torch.no_grad():
            parts = [model(data.test.batch(chunk)) for chunk in rows.split(EVAL_CHUNK)]
        logits = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        measured = Measured()
        evaluate.add_tasks(measured, logits, data.test.candidates, data.schema)
        self._measure_fit(measured, model)
        # One request with its candidates joined already: what the model itself takes.
        batches = [data.test.batch(rows[i : i + 1]) for i in range(len(rows))]
        measured.add_numbers(latency.single(lambda one: model.probabilities(one.features), _Batches(batches)))
        save_model(model, self.world.store, folder / "model", card(spec, measured))
        return measured

    def _funnel(self, spec: RunSpec, folder: Path) -> Measured:
        stages, entries = spec.config["stages"], spec.config["entries"]
        models = {name: self._component(name, spec, stages) for name in dict.fromkeys(entries_of(stages))}
        plain = [{k: _without_index(options) for k, options in item.items()} for item in stages]
        funnel = build_funnel(plain, models, self.world.store)
        trace = self._traced(funnel)
        final = trace[funnel.stages[-1][0]]
        measured = self._measure_lists(final.ids)
        evaluate.add_survival(measured, trace, self.world.targets)
        channels = [channel.name for channel in dict(funnel.stages)["recall"].channels]
        evaluate.add_unique_finds(measured, trace["merge"], self.world.targets, channels)
        measured.add_numbers(latency.by_stage(funnel, self.world.measured))
        measured.add_numbers(latency.throughput(funnel, self.world.measured))
        costs = [self._cost(model) for model in models.values()]
        measured.add_numbers({"train/seconds": sum(cost.get("seconds", 0.0) for cost in costs)})
        indexes = {name: entries[name].get("index") or {} for name in models}
        save_funnel(plain, models, self.world.store, folder / "funnel", indexes, card(spec, measured))
        return measured

    def _component(self, name: str, spec: RunSpec, stages: Any) -> ZooModel:
        """The fitted model of a funnel's entry."""
        entry = spec.config["entries"][name]
        stage = entry["model"].split("/")[0]
        if stage == "rerank":
            model = new_model(entry, self.world.snapshot().schema, spec.seed).eval()
            model.prepare(self.world.store.catalogue)
            return model
        if stage == "recall":
            channels = next(item["recall"] for item in stages if "recall" in item)["channels"]
            own = next((c["index"] for c in channels if c["entry"] == name and c.get("index")), entry.get("index"))
            return self.recall_model({**entry, "index": own}, spec.seed)
        return self.rank_model({**spec.config, **entry}, spec.seed, self.rank_data(spec.config, spec.seed))

    def recall_model(self, entry: Mapping[str, Any], seed: int, share: float | None = None) -> RetrievalModel:
        """A recall entry fitted on a share of the events, by default on all before the measured window."""
        snapshot = self.world.snapshot(share)
        recipe_ = self._recipe(entry, seed) | {"share": self.world.share if share is None else share}

        def view(model: ZooModel) -> View:
            if isinstance(model, EmbeddingRetrieval):
                return EventView(snapshot, model.history_length)
            return HistoryView(snapshot)

        model = self._fitted(entry, snapshot.schema, seed, recipe_, view, snapshot.catalogue)
        assert isinstance(model, RetrievalModel)
        return model

    def rank_model(self, entry: Mapping[str, Any], seed: int, data: RankData) -> RankModel:
        """A pre-rank or rank entry fitted on the training candidates."""
        recipe_ = self._recipe(entry, seed) | {"data": recipe(entry, self.fingerprint, seed)}
        catalogue = self.world.snapshot().catalogue
        model = self._fitted(entry, data.schema, seed, recipe_, lambda _: data.train, catalogue)
        assert isinstance(model, RankModel)
        return model

    def rank_data(self, config: Mapping[str, Any], seed: int) -> RankData:
        """The candidates of a run after recall, made once for each seed and set of channels."""

        def make(folder: Path) -> None:
            self._make_candidates(config, seed).save(folder)

        folder = self.artifacts.folder(recipe(config, self.fingerprint, seed), make)
        return RankData.load(folder, self.world.snapshot().catalogue)

    def _make_candidates(self, config: Mapping[str, Any], seed: int) -> RankData:
        world, names = self.world, config["protocol"]["candidates"]["channels"]
        maker = CandidateMaker(world, seed)
        cuts = sorted(cut for cut in world.protocol.candidates.cuts if cut < world.share)
        parts = []
        for share, stop in zip([*cuts, world.share], [*cuts[1:], world.share, None], strict=False):
            models = {name: self.recall_model(config["entries"][name], seed, share) for name in names}
            requests = world.requests if stop is None else world.window(share, stop)
            parts.append(maker.window(share, requests, models))
        requests, candidates = ([part[i] for part in parts] for i in (0, 1))
        train, snapshot = stacked(candidates[:-1]), world.snapshot()
        static = {f.name: snapshot.catalogue[f.name] for f in snapshot.schema.having("item")}
        return RankData(
            rank_schema(snapshot.schema, train),
            CandidateView(stacked(requests[:-1]), train, static),
            CandidateView(requests[-1], candidates[-1], static),
        )

    def _fitted(self, entry: Mapping[str, Any], schema: Any, seed: int, recipe_: Any, view: Any, catalogue: Batch) -> ZooModel:
        """A model from the artifacts, fitted now if it is not there; prepared, with the index of its entry."""

        def make(folder: Path) -> None:
            model = new_model(entry, schema, seed)
            with PeakMemory() as memory:
                started = time.perf_counter()
                fit(model, view(model), seed)
                cost = {"seconds": time.perf_counter() - started, "peak_memory_mib": memory.peak_mib()}
            model.save_pretrained(folder)
            (folder / "cost.json").write_text(json.dumps(cost))

        folder = self.artifacts.folder(recipe_, make)
        key = f"{folder.name} {entry.get('index')}"
        if key not in self._models:
            model = type(new_model(entry, schema, seed)).from_pretrained(folder)
            if isinstance(model, EmbeddingRetrieval) and entry.get("index"):
                model.index = create_index(**entry["index"])
            model.prepare(catalogue)
            model.__dict__["cost"] = json.loads((folder / "cost.json").read_text())
            self._models[key] = model
        return self._models[key]

    def _recipe(self, entry: Mapping[str, Any], seed: int) -> dict[str, Any]:
        protocol = self.world.protocol
        split = {"tie_seed": protocol.tie_seed, "history_length": protocol.history_length, "share": self.world.share}
        own = {name: entry[name] for name in ("model", "params", "fit")}
        return {"what": "model", "entry": own, "split": split, "dataset": self.fingerprint, "seed": seed}

    def _lists(self, serve: Any) -> torch.Tensor:
        """`(N, K)` ranked lists of all measured requests."""
        rows = torch.arange(len(self.world.requests)).split(EVAL_CHUNK)
        parts = [serve(self.world.measured.rows(chunk)).ids for chunk in rows]
        width = max(part.shape[1] for part in parts)
        return torch.cat([torch.nn.functional.pad(part, (0, width - part.shape[1])) for part in parts])

    def _traced(self, funnel: Any) -> dict[str, Candidates]:
        """What came out of every stage for all measured requests."""
        stages: dict[str, list[Candidates]] = {}
        for chunk in torch.arange(len(self.world.requests)).split(EVAL_CHUNK):
            trace = Trace()
            funnel(self.world.measured.rows(chunk), trace=trace)
            for name, candidates in trace.candidates.items():
                stages.setdefault(name, []).append(candidates)
        return {name: _below(parts) for name, parts in stages.items()}

    def _measure_lists(self, ids: torch.Tensor) -> Measured:
        world, measured = self.world, Measured()
        evaluate.add_ranking(measured, ids, world.targets, world.protocol, segment_names(world.requests))
        evaluate.add_diversity(measured, ids, self._categories, self._counts)
        return measured

    @cached_property
    def _categories(self) -> torch.Tensor:
        """`(n_items + 1, G)` of the first multi-valued item feature."""
        snapshot = self.world.snapshot()
        feature = next((f for f in snapshot.schema.having("item") if f.kind == "multi"), None)
        if feature is None:
            return torch.ones(snapshot.schema.n_items + 1, 1)
        hot = torch.zeros(snapshot.schema.n_items + 1, feature.vocab).scatter_(1, snapshot.catalogue[feature.name], 1)
        return hot[:, 1:]

    @cached_property
    def _counts(self) -> torch.Tensor:
        snapshot = self.world.snapshot()
        past = snapshot.events.item[snapshot.events.time < snapshot.cut]
        return torch.bincount(past, minlength=snapshot.schema.n_items + 1)

    def _measure_fit(self, measured: Measured, model: ZooModel) -> None:
        measured.add_numbers({f"train/{name}": value for name, value in self._cost(model).items()})

    @staticmethod
    def _cost(model: ZooModel) -> dict[str, float]:
        return dict(model.__dict__.get("cost", {}))


class _Batches(Request):
    """Joined batches that can be taken one by one like requests."""

    def __init__(self, batches: list[Batch]) -> None:
        object.__setattr__(self, "features", {})
        object.__setattr__(self, "_batches", batches)

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[attr-defined]

    def rows(self, index: Any) -> Request:
        """The batch at a slice of length one."""
        return Request(self._batches[index.start])  # type: ignore[attr-defined]


def _below(parts: list[Candidates]) -> Candidates:
    """Candidates of several chunks of requests, padded to one width; columns are dropped."""
    width = max(part.ids.shape[1] for part in parts)

    def padded(name: str) -> torch.Tensor:
        values = (getattr(part, name) for part in parts)
        return torch.cat([torch.nn.functional.pad(x, (0, width - x.shape[1])) for x in values])

    return Candidates(padded("ids"), padded("scores"), padded("source"))


def _without_index(options: Mapping[str, Any]) -> dict[str, Any]:
    """A stage's options without the channels' indexes, which belong to the models."""
    channels = [{k: v for k, v in channel.items() if k != "index"} for channel in options.get("channels", ())]
    return {**options, **({"channels": channels} if channels else {})}


def card(spec: RunSpec, measured: Measured) -> str:
    """The model card: what it is, how to use it, and what was measured."""
    load = "load_funnel" if spec.stage == "funnel" else "load_model"
    rows = [
        f"| {name} | {value.mean:.4f} | {'' if value.lo is None else f'{value.lo:.4f} to {value.hi:.4f}'} |"
        for name, value in measured.metrics.items()
    ]
    return "\n".join([
        f"# {spec.entry}, seed {spec.seed}",
        "",
        f"Trained on {spec.config['dataset']} before the {spec.config['protocol']['window']} window. Made again by",
        f"`{spec.command}`, used by `zoo.{load}(folder)`.",
        "",
        "| metric | value | 95 % interval over users |",
        "|---|---|---|",
        *rows,
        "",
    ])  # fmt: skip

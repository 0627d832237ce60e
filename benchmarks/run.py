"""One run: fit what it needs, measure it, and save it with its card."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import evaluate, evaluate_tasks, latency, shown_metrics
from benchmarks.components import Components
from benchmarks.evaluate import Measured
from benchmarks.plan import RunSpec
from benchmarks.shown import population as shown_population
from benchmarks.world import World, by_targets, segment_names
from zoo.bundle import build_funnel, entries_of, save_funnel, save_model
from zoo.core.errors import UserError
from zoo.core.types import Candidates, Request
from zoo.data.views import CandidateView, View
from zoo.funnel import Funnel, Recall, Trace
from zoo.training import EmbeddingRetrieval, RankModel

EVAL_CHUNK = 64
"""Requests evaluated at once; no metric depends on it."""


@dataclass
class Runner:
    """Runs the specs of one dataset and protocol in this process.

    Attributes:
        world: The dataset under the protocol.
        components: The fitted models.
    """

    world: World
    components: Components

    def run(self, spec: RunSpec, folder: Path) -> tuple[Measured, dict[str, float]]:
        """Makes and measures what a spec describes, and saves it to `folder`.

        Returns:
            What was measured, and the population it was measured on.

        Raises:
            UserError: The spec is of a reranker, which only a funnel can measure.
        """
        measure = {"recall": self._recall, "prerank": self._rank, "rank": self._rank, "funnel": self._funnel}
        if spec.stage not in measure:
            raise UserError(f"{spec.entry}: a {spec.stage} entry is measured in a funnel, list it in one")
        measured = measure[spec.stage](spec, folder)
        shown = self.world.protocol.shown and spec.stage in ("prerank", "rank")
        return measured, shown_population(self.world) if shown else self.world.population()

    def _recall(self, spec: RunSpec, folder: Path) -> Measured:
        model, k = self.components.recall(spec.config, spec.seed), max(self.world.protocol.recall_at)

        def serve(request: Request) -> Candidates:
            return model.recall(request, k, request.features["seen"])

        measured = self._measure_lists(
            self._traced(Funnel([("recall", lambda r, _: serve(r))]))["recall"].ids
        )
        measured.add_costs(model.cost)
        measured.add_numbers(latency.single(serve, self.world.measured))
        measured.add_numbers(latency.throughput(serve, self.world.measured))
        if isinstance(model, EmbeddingRetrieval):
            queries = model.encode_user(self.world.measured.features).detach()
            found = model.index.recall_against_exact(queries, k)["recall"]
            seconds = model.index.stats["build_seconds"]
            measured.add_numbers({f"index/recall@{k}": found, "index/build_seconds": seconds})
        save_model(model, self.world.store, folder / "model", card(spec, measured))
        return measured

    def _rank(self, spec: RunSpec, folder: Path) -> Measured:
        model = self.components.rank(spec.config, spec.config, spec.seed)
        measured, shown = Measured(), self.world.protocol.shown
        view = self._measure_shown(measured, model) if shown else self._measure_found(measured, model, spec)
        measured.add_numbers(evaluate_tasks.diagnosed(model, view))
        measured.add_costs(model.cost)
        # One request whose candidates are joined already: what the model itself takes.
        rows = torch.arange(min(len(view), latency.WARM_UP + latency.REQUESTS))
        measured.add_numbers(latency.single(model.probabilities, [view.batch(row) for row in rows.split(1)]))
        save_model(model, self.world.store, folder / "model", card(spec, measured))
        return measured

    def _measure_found(self, measured: Measured, model: RankModel, spec: RunSpec) -> View:
        data = self.components.candidates(spec.config, spec.seed)
        rows = torch.arange(len(data.test))
        with torch.no_grad():
            parts = [model(data.test.batch(chunk)) for chunk in rows.split(EVAL_CHUNK)]
        logits = {name: torch.cat([_wide(part[name], data.test) for part in parts]) for name in parts[0]}
        evaluate_tasks.add_tasks(measured, logits, data.test.candidates, data.schema)
        return data.test

    def _measure_shown(self, measured: Measured, model: RankModel) -> View:
        data, choice = self.components.shown, self.world.config.schema.choice
        shown_metrics.measure(measured, shown_metrics.predicted(model, data, choice), data, choice)
        return data.test

    def _funnel(self, spec: RunSpec, folder: Path) -> Measured:
        stages = spec.config["stages"]
        names = list(dict.fromkeys(entries_of(stages)))
        models = {name: self.components.of_funnel(name, spec.config, spec.seed) for name in names}
        # The store knows nothing from after the cut, and a request comes later than that.
        funnel = build_funnel(stages, models, self.world.store, self.world.snapshot().live)
        trace = self._traced(funnel)
        measured = self._measure_lists(list(trace.values())[-1].ids)
        evaluate.add_survival(measured, trace, self.world.targets)
        recall = dict(funnel.stages)["recall"]
        assert isinstance(recall, Recall)
        channels = [channel.name for channel in recall.channels]
        evaluate.add_unique_finds(measured, trace["merge"], self.world.targets, channels)
        measured.add_costs({"seconds": sum(model.cost.get("seconds", 0.0) for model in models.values())})
        measured.add_numbers(latency.by_stage(funnel, self.world.measured))
        measured.add_numbers(latency.throughput(funnel, self.world.measured))
        save_funnel(stages, models, self.world.store, folder / "funnel", card(spec, measured))
        return measured

    def _traced(self, funnel: Funnel) -> dict[str, Candidates]:
        """What came out of every stage for all measured requests."""
        stages: dict[str, list[Candidates]] = {}
        for start in range(0, len(self.world.requests), EVAL_CHUNK):
            trace = Trace()
            funnel(self.world.measured.rows(slice(start, start + EVAL_CHUNK)), trace=trace)
            for name, candidates in trace.candidates.items():
                stages.setdefault(name, []).append(candidates)
        return {name: _below(parts) for name, parts in stages.items()}

    def _measure_lists(self, ids: Tensor) -> Measured:
        world, measured = self.world, Measured()
        segments = segment_names(world.requests) | by_targets(world.targets)
        evaluate.add_ranking(measured, ids, world.targets, world.protocol, segments)
        evaluate.add_tail(measured, ids, world.targets, self._counts, world.protocol)
        evaluate.add_diversity(measured, ids, self._categories, self._counts)
        return measured

    @cached_property
    def _categories(self) -> Tensor:
        """`(n_items + 1, G)` of the first multi-valued item feature."""
        snapshot = self.world.snapshot()
        feature = next((f for f in snapshot.schema.having("item") if f.kind == "multi"), None)
        if feature is None:
            return torch.ones(snapshot.schema.n_items + 1, 1)
        hot = torch.zeros(snapshot.schema.n_items + 1, feature.vocab).scatter_(
            1, snapshot.catalogue[feature.name], 1
        )
        return hot[:, 1:]

    @cached_property
    def _counts(self) -> Tensor:
        snapshot = self.world.snapshot()
        past = snapshot.events.item[snapshot.events.known(snapshot.stop)]
        return torch.bincount(past, minlength=snapshot.schema.n_items + 1)


def _below(parts: list[Candidates]) -> Candidates:
    """Candidates of several chunks of requests, padded to one width; columns are dropped."""
    width = max(part.ids.shape[1] for part in parts)

    def padded(name: str) -> Tensor:
        values = (getattr(part, name) for part in parts)
        return torch.cat([torch.nn.functional.pad(x, (0, width - x.shape[1])) for x in values])

    return Candidates(padded("ids"), padded("scores"), padded("source"))


def _wide(logits: Tensor, view: CandidateView) -> Tensor:
    """Logits of a chunk, padded to the width of all candidates."""
    return torch.nn.functional.pad(logits, (0, view.candidates["item_id"].shape[1] - logits.shape[1]))


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
        f"Trained on {spec.config['dataset']} before the {spec.config['protocol']['window']} window.",
        f"Made again by `{spec.command}`, used by `zoo.{load}(folder)`.",
        "",
        "| metric | value | 95 % interval over users |",
        "|---|---|---|",
        *rows,
        "",
    ])  # fmt: skip

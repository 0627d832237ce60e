"""The frozen candidates on which pre-rank and rank models are trained and judged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.protocols import CandidatesConfig
from benchmarks.splits import Moment
from benchmarks.world import World, seeded
from zoo.core.schema import Feature, Schema
from zoo.core.topk import is_member
from zoo.core.types import Batch, Candidates, Request
from zoo.data.negatives import choose, uniform
from zoo.data.snapshot import numeric
from zoo.data.split import Requests
from zoo.data.views import CandidateView
from zoo.funnel import Annotate, Channel, FeatureJoin, Funnel, Merge, Recall, SeenFilter
from zoo.funnel.features import crosses
from zoo.training import RetrievalModel

JOIN_CHUNK = 256
"""Requests joined at once."""


@dataclass(frozen=True)
class RankData:
    """Candidates with labels, for training and for the measured requests.

    Attributes:
        schema: Features of these candidates: the snapshot's, and one per column and cross.
        train: From windows before the measured one, each with recall as it was at the window's start.
        test: Of the measured requests, in their order.
    """

    schema: Schema
    train: CandidateView
    test: CandidateView

    def sha256(self) -> str:
        """Hash of the measured candidates and labels."""
        digest = hashlib.sha256()
        for name in ("item_id", *(f"label:{task.name}" for task in self.schema.tasks)):
            digest.update(self.test.candidates[name].contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Writes schema and tensors."""
        (folder / "schema.json").write_text(self.schema.to_json())
        for name in ("train", "test"):
            view: CandidateView = getattr(self, name)
            for part in ("requests", "candidates"):
                save_file(
                    {k: v.contiguous() for k, v in getattr(view, part).items()}, folder / f"{name}.{part}"
                )

    @classmethod
    def load(cls, folder: Path, catalogue: Batch) -> RankData:
        """The inverse of `save`; the catalogue's static features are looked up later."""
        schema = Schema.from_json((folder / "schema.json").read_text())
        static = {f.name: catalogue[f.name] for f in schema.having("item")}
        views = [
            CandidateView(
                load_file(folder / f"{name}.requests"), load_file(folder / f"{name}.candidates"), static
            )
            for name in ("train", "test")
        ]
        return cls(schema, *views)


@dataclass(frozen=True)
class CandidateMaker:
    """Makes the candidates of one seed.

    Attributes:
        world: The dataset under its protocol.
        seed: Of the draw of negatives.
    """

    world: World
    seed: int

    @property
    def config(self) -> CandidatesConfig:
        """How the protocol wants them."""
        config = self.world.protocol.candidates
        assert isinstance(config, CandidatesConfig)
        return config

    def window(
        self, moment: Moment, requests: Requests, models: Mapping[str, RetrievalModel]
    ) -> tuple[Batch, Batch]:
        """Features of requests and of their candidates.

        Args:
            moment: What recall, catalogue and statistics may know.
            requests: Later than that.
            models: The channels by entry name, fitted on that share.
        """
        quota = self.config.quota
        channels = [Channel(name.split("/")[-1], model, quota) for name, model in models.items()]
        request = self.world.request(requests, moment)
        found = Funnel([("recall", Recall(channels)), ("merge", Merge()), ("exposure", SeenFilter())])(
            request
        )
        positives = self._answers(moment, requests, self.world.config.schema.choice, request)
        candidates = self._drawn(found.ids, positives, request)
        joined = self._joined(moment, Annotate(channels)(request, candidates), request)
        for name in self.world.config.schema.tasks:
            answers = self._answers(moment, requests, name, request)
            joined[f"label:{name}"] = is_member(joined["item_id"], answers).float()
        return request.features, self._kept(joined)

    def _answers(self, moment: Moment, requests: Requests, behaviour: str, request: Request) -> Tensor:
        answers = self.world.snapshot(moment).answers(requests, behaviour)
        return answers.masked_fill(is_member(answers, request.features["seen"]), 0)

    def _drawn(self, found: Tensor, positives: Tensor, request: Request) -> Candidates:
        """All that recall found, all positives, and uniform negatives; those to keep have score 1.

        Columns such as ranks must be seen among all of them, as they will be when serving, so the draw of
        negatives comes after.
        """
        config, generator = self.config, seeded(self.seed)
        hard = choose(found, config.from_recall, positives, generator)
        taken = torch.cat([request.features["seen"], positives, found], dim=1)
        easy = uniform(self.world.snapshot().schema.n_items, config.uniform, taken, generator)
        missed = positives.masked_fill(is_member(positives, found), 0)
        ids = torch.cat([found, missed, easy], dim=1)
        keep = is_member(ids, torch.cat([positives, hard, easy], dim=1))
        return Candidates.of(ids, keep.float())

    def _joined(self, moment: Moment, candidates: Candidates, request: Request) -> Batch:
        """Candidate-level features that may differ by request or time, and `keep`."""
        snapshot = self.world.snapshot(moment)
        schema = snapshot.schema.extended(*crosses(snapshot.schema))
        join = FeatureJoin(snapshot.catalogue, schema, self.world.config.schema.choice, snapshot.live)
        names = ["item_id", *(f.name for f in schema.having("item_stat", "cross")), *candidates.columns]
        parts = []
        for rows in torch.arange(len(request)).split(JOIN_CHUNK):
            columns = {name: value[rows] for name, value in candidates.columns.items()}
            some = Candidates(candidates.ids[rows], candidates.scores[rows], candidates.source[rows], columns)
            batch = join(request.rows(rows), some)
            parts.append({name: batch[name] for name in names} | {"keep": some.scores})
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    @staticmethod
    def _kept(joined: Batch) -> Batch:
        """Only the candidates to keep, moved to the front."""
        keep = joined.pop("keep") > 0
        order = (~keep).int().argsort(dim=1, stable=True)[:, : int(keep.sum(1).max())]
        joined["item_id"] = joined["item_id"].masked_fill(~keep, 0)
        return {name: value.gather(1, order) for name, value in joined.items()}


def rank_schema(base: Schema, candidates: Batch) -> Schema:
    """The snapshot's schema with the columns and crosses of training candidates, and their scale."""
    mask = candidates["item_id"] > 0
    found = [numeric(cross.name, "cross", candidates[cross.name][mask], cross.of) for cross in crosses(base)]
    columns = [
        name for name in candidates if ":" in name and not name.startswith("label:") and name not in base
    ]
    names = [name for name in columns if name not in {cross.name for cross in found}]
    found += [numeric(name, "column", candidates[name][mask]) for name in names]
    # Statistics too are scaled as the training windows saw them.
    live = base.having("item_stat", "cross")
    stats = {f.name: numeric(f.name, f.role, candidates[f.name][mask], f.of) for f in live}
    features: tuple[Feature, ...] = tuple(stats.get(f.name, f) for f in base)
    return Schema(features, base.tasks).extended(*found)


def stacked(parts: list[Batch]) -> Batch:
    """Batches one below the other, padded with 0 to the same widths."""
    width = {
        name: max((part[name].shape[1] for part in parts if part[name].ndim > 1), default=0)
        for name in parts[0]
    }
    return {name: torch.cat([_widened(part[name], width[name]) for part in parts]) for name in parts[0]}


def _widened(value: Tensor, width: int) -> Tensor:
    if value.ndim == 1 or value.shape[1] == width:
        return value
    return torch.nn.functional.pad(value, (0, width - value.shape[1]))


def recipe(config: Mapping[str, Any], fingerprint: str, seed: int) -> dict[str, Any]:
    """All that the candidates of a run depend on."""
    return {
        "what": "candidates",
        "protocol": config["protocol"],
        "entries": {name: config["entries"][name] for name in config["protocol"]["candidates"]["channels"]},
        "dataset": fingerprint,
        "seed": seed,
    }

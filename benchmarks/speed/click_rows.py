"""The rows of `click_quality`: a dataset in three parts, as views for us and as files for the peers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.datasets import load_config, prepare
from benchmarks.protocols import ProtocolConfig
from benchmarks.shown import ShownData, rows_after
from benchmarks.world import World
from zoo.core.check import check
from zoo.core.schema import Feature
from zoo.core.yaml import load
from zoo.data.views import ShownView
from zoo.layers.embedding import CLIP

CONFIGS = Path(__file__).parents[2] / "configs"
CHUNK = 8192
"""Requests that are written at once."""


@dataclass(frozen=True)
class Clicks:
    """What is for training, validation and the test; encoders know the first alone.

    Attributes:
        name: Of the dataset.
        fingerprint: Of what it holds.
        task: What is predicted, and nothing else by any side.
        data: Training and validation.
        after: The test.
        without: Features that no side gets.
    """

    name: str
    fingerprint: str
    task: str
    data: ShownData
    after: ShownView
    without: Sequence[str] = ()

    @classmethod
    def of(cls, world: World, fingerprint: str, without: Sequence[str] = ()) -> Clicks:
        """The rows of a world whose measured window is for validation."""
        data, config = ShownData.of(world), world.config
        task = config.schema.choice
        schema = replace(data.schema, tasks=tuple(t for t in data.schema.tasks if t.name == task))
        after = replace(data.test, shown=rows_after(world))
        return cls(config.name, fingerprint, task, replace(data, schema=schema), after, without)

    @classmethod
    def named(cls, dataset: str, protocol: str, without: Sequence[str] = ()) -> Clicks:
        """The rows of a dataset under a protocol that has shown candidates."""
        config = load_config(CONFIGS / "datasets" / f"{dataset}.yaml")
        rules = check(load(CONFIGS / "protocols" / f"{protocol}.yaml"), ProtocolConfig)
        prepared = prepare(config)
        world = World(config, replace(rules, name=protocol, window="validation"), prepared.log)
        return cls.of(world, prepared.fingerprint, without)

    @property
    def test(self) -> ShownData:
        """Training and test."""
        return replace(self.data, test=self.after)

    @property
    def features(self) -> tuple[Feature, ...]:
        """What every side reads: all but histories, and the ids of users that are no feature."""
        schema = self.data.schema.leaving_out(self.without)
        return schema.having("user", "context", "item_id", "item", "item_stat", "column", "cross")

    def export(self, folder: Path, sizes: Mapping[str, Any]) -> None:
        """Writes `train.npz`, `validation.npz`, `test.npz`, and the vocabularies beside `sizes` in JSON."""
        parts = {"train": self.data.train, "validation": self.data.test, "test": self.after}
        for name, view in parts.items():
            np.savez(folder / f"{name}.npz", **flat(view, self.features, self.task))
        ids = {f.name: f.vocab for f in self.features if f.kind == "categorical"}
        multi = {f.name: (f.vocab, f.length) for f in self.features if f.kind == "multi"}
        numbers = [f.name for f in self.features if f.kind == "numeric"]
        told = {**sizes, "vocab": ids, "multi": multi, "numbers": numbers, "tasks": [self.task]}
        (folder / "sizes.json").write_text(json.dumps(told))


def flat(view: ShownView, features: Sequence[Feature], task: str) -> dict[str, Any]:
    """A row for each candidate of each request, in order: features as our models see them, and the label.

    Numbers are standardised and clipped; ids are as they are, multi ones `(M, length)` padded with 0.
    """
    chunks: dict[str, list[Tensor]] = {name: [] for name in (*(f.name for f in features), task)}
    for index in torch.arange(len(view)).split(CHUNK):
        batch, (_, mask) = view.batch(index), view.shown.places(index)
        for feature in features:
            chunks[feature.name].append(_rows(feature, batch[feature.name], mask))
        chunks[task].append(batch[f"label:{task}"][mask])
    return {name: torch.cat(parts).numpy() for name, parts in chunks.items()}


def _rows(feature: Feature, values: Tensor, mask: Tensor) -> Tensor:
    """`(M, …)` where `mask` `(B, K)`."""
    if feature.request_level:
        values = values[:, None].expand(*mask.shape, *values.shape[1:])
    rows = values[mask]
    return ((rows - feature.mean) / feature.std).clamp(-CLIP, CLIP) if feature.kind == "numeric" else rows


def labels_of(view: ShownView, task: str) -> Tensor:
    """`(M,)` 0 or 1."""
    return view.snapshot.events.flags[task][view.shown.event].float()

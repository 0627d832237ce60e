"""A small folder of configs and the models they name, for the tests of suites."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.core import registry
from zoo.core.config import ModelConfig, demand
from zoo.core.registry import register


@dataclass(frozen=True)
class FakeConfig(ModelConfig):
    embed_dim: int = 8
    hidden: tuple[int, ...] = (64, 32)

    def __post_init__(self) -> None:
        demand((self.embed_dim >= 1, f"embed_dim must be at least 1, found {self.embed_dim}"))


FILES = {
    "recall/popular": "model: recall/fake\n",
    "recall/two_tower": """model: recall/fake
params:
  embed_dim: 4
fit:
  lr: 1e-2
index: {name: exact}
""",
    "prerank/three_tower": "about: cheap\nmodel: prerank/fake\n",
    "rank/dcn_v2": "model: rank/fake\nfit: {batch_size: 16}\n",
    "rank/_base": "model: rank/fake\n",
    "rerank/mmr": "model: rerank/fake\n",
    "datasets/tiny": "name: tiny\n",
    "datasets/other": "name: other\n",
    "protocols/global-time": "version: 2\ncandidates:\n  channels: [recall/popular]\nsplit: {kind: time}\n",
    "funnels/page": """dataset: tiny
stages:
  - recall:
      channels:
        - entry: recall/popular
          quota: 50
        - {entry: recall/two_tower, index: {name: hnswlib}}
  - merge: {total: 300}
  - exposure: {}
  - prerank: {entry: prerank/three_tower, keep: 150}
  - rank: {entry: rank/dcn_v2}
  - fusion: {formula: click_times, base: watch, weights: {like: 1.0}}
  - rerank: {entry: rerank/mmr, keep: 20}
""",
    "suites/quick": """dataset: tiny
protocol: global-time
seeds: [0, 1]
entries:
  - recall/popular
  - entry: recall/two_tower
    params: {embed_dim: 16}
  - rank/dcn_v2
funnels: [page]
""",
}
SUITE = "configs/suites/quick.yaml"


def build(root: Path, changes: dict[str, str] | None = None) -> None:
    for name, text in {**FILES, **(changes or {})}.items():
        path = root / "configs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@contextlib.contextmanager
def fake_models() -> Iterator[None]:
    """Models from outside the package, forgotten afterwards."""
    names = [f"{stage}/fake" for stage in registry.STAGES]
    for name in names:
        register(name=name)(type("Fake", (), {"Config": FakeConfig}))
    try:
        yield
    finally:
        # Only these: a real model that was imported meanwhile would never register again.
        for name in names:
            del registry._CLASSES[name]


def change(name: str, old: str, new: str) -> None:
    path = Path("configs") / f"{name}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict | list) and value:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, item in pairs for leaf in leaves(item, (*path, key))]
    return [path]


def mappings(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [path] + [p for key, item in value.items() for p in mappings(item, (*path, key))]
    return (
        [p for i, item in enumerate(value) for p in mappings(item, (*path, i))]
        if isinstance(value, list)
        else []
    )

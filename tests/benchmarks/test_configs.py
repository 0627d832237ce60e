"""`benchmarks.configs`: the classes against what they speak of."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmarks.configs import ExactIndex, HnswlibIndex
from benchmarks.funnels import FunnelConfig
from benchmarks.protocols import ProtocolConfig
from benchmarks.suite import available, resolve_suite
from zoo.core.check import check
from zoo.core.yaml import load

ROOT = Path(__file__).parents[2] / "configs"


def test_the_index_options_are_those_of_the_adapters() -> None:
    pytest.importorskip("hnswlib")
    from zoo.index.exact import ExactIndex as Exact
    from zoo.index.hnswlib import HnswlibIndex as Hnswlib

    for config, adapter in ((ExactIndex, Exact), (HnswlibIndex, Hnswlib)):
        options = {field.name: field.default for field in dataclasses.fields(adapter) if field.init}
        said = {field.name: field.default for field in dataclasses.fields(config)}
        assert said.pop("name") == adapter.name and said == options


@pytest.mark.parametrize("path", sorted((ROOT / "funnels").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_funnel_is_sound(path: Path) -> None:
    assert check(load(path), FunnelConfig).dataset in available(ROOT)["datasets"]


@pytest.mark.parametrize("path", sorted((ROOT / "protocols").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_protocol_is_sound(path: Path) -> None:
    assert check(load(path), ProtocolConfig).version >= 1


@pytest.mark.parametrize("path", sorted((ROOT / "suites").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_suite_resolves(path: Path) -> None:
    assert resolve_suite(path, configs_root=ROOT).runs

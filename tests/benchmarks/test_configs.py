"""`benchmarks.configs`: the classes against what they speak of."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from benchmarks.configs import EntryConfig, ExactIndex, FaissIndex, HnswlibIndex, MilvusIndex
from benchmarks.entries import available
from benchmarks.funnels import FunnelConfig
from benchmarks.protocols import ProtocolConfig
from benchmarks.suite import resolve_suite
from zoo.core.check import check
from zoo.core.mistakes import ConfigErrors
from zoo.core.yaml import load
from zoo.index import ADAPTERS, create_index

ROOT = Path(__file__).parents[2] / "configs"


def test_the_index_options_are_those_of_the_adapters() -> None:
    configs = {"exact": ExactIndex, "hnswlib": HnswlibIndex, "faiss": FaissIndex, "milvus": MilvusIndex}
    assert list(configs) == list(ADAPTERS)
    for name, config in configs.items():
        adapter = type(create_index(name))
        options = {field.name: field.default for field in dataclasses.fields(adapter) if field.init}
        said = {field.name: field.default for field in dataclasses.fields(config)}
        assert said.pop("name") == adapter.name and said == options


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{name: faiss, kind: hsnw}", "kind: expected one of flat, ivf, hnsw, found 'hsnw'"),
        ("{name: faiss, probes: 0}", "probes: must be at least 1, found 0"),
        ("{name: milvus, path: somewhere}", "path: must end in .db, found somewhere"),
        ("{name: milvus, path: a.db, uri: b}", "path: is of an embedded Milvus and uri of a server"),
    ],
)
def test_a_mistaken_index_is_told(index: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "entry.yaml").write_text(f"model: recall/two_tower\nindex: {index}\n")
    with pytest.raises(ConfigErrors, match=re.escape(f"index.{message}")):
        check(load(tmp_path / "entry.yaml"), EntryConfig)


@pytest.mark.parametrize("path", sorted((ROOT / "funnels").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_funnel_is_sound(path: Path) -> None:
    assert check(load(path), FunnelConfig).dataset in available(ROOT)["datasets"]


@pytest.mark.parametrize("path", sorted((ROOT / "protocols").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_protocol_is_sound(path: Path) -> None:
    assert check(load(path), ProtocolConfig).version >= 1


@pytest.mark.parametrize("path", sorted((ROOT / "suites").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_suite_resolves(path: Path) -> None:
    assert resolve_suite(path, configs_root=ROOT).runs

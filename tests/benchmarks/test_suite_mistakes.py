"""`benchmarks.suite`: every mistake is told, with its file and line."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_suite import FILES, SUITE, build, change, fake_models, leaves, mappings
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.suite import resolve_suite
from zoo.core.errors import UserError
from zoo.core.mistakes import ConfigErrors


def told(*overrides: str) -> list[str]:
    with pytest.raises(ConfigErrors) as errors:
        resolve_suite(SUITE, overrides)
    return str(errors.value).splitlines()


# A file, what is replaced in it, by what, and what is told after `configs/<file>.yaml:`.
MISTAKES = [
    ("suites/quick", "dataset: tiny", "dataset: tinny",
     "1: dataset: no dataset 'tinny' in configs/datasets (did you mean 'tiny'?)"),
    ("suites/quick", "global-time", "globaltime",
     "2: protocol: no protocol 'globaltime' in configs/protocols (did you mean 'global-time'?)"),
    ("suites/quick", "[0, 1]", "[0, x]", "3: seeds[1]: expected int, found 'x'"),
    ("suites/quick", "[0, 1]", "[0, 0]", "3: seeds: must differ, found [0, 0]"),
    ("suites/quick", "[0, 1]", "[]", "3: seeds: must not be empty"),
    ("suites/quick", "recall/popular", "recall/popula",
     "5: entries[0]: no entry 'recall/popula' in configs (did you mean 'recall/popular'?)"),
    ("suites/quick", "entry: recall/two_tower", "entry: ../two_tower",
     "6: entries[1].entry: no entry '../two_tower' in configs (did you mean 'recall/two_tower'?)"),
    ("suites/quick", "embed_dim", "embed_dims",
     "7: params.embed_dims: unknown key (did you mean 'embed_dim'?)"),
    ("suites/quick", "- rank/dcn_v2", "- recall/popular",
     "4: entries: 'recall/popular' is listed more than once"),
    ("suites/quick", "- rank/dcn_v2", "- 3", "8: entries[2]: expected a mapping, found 3"),
    ("suites/quick", "- rank/dcn_v2", "- rank/_base",
     "8: entries[2]: no entry 'rank/_base' in configs (did you mean 'rank/dcn_v2'?)"),
    ("suites/quick", "[page]", "[pag]",
     "9: funnels[0]: no funnel 'pag' in configs/funnels (did you mean 'page'?)"),
    ("suites/quick", "funnels:", "funnel:", "9: funnel: unknown key (did you mean 'funnels'?)"),
    ("recall/two_tower", "recall/fake", "recall/fak",
     "1: model: unknown model 'recall/fak' (did you mean 'recall/fake'?)"),
    ("recall/two_tower", "recall/fake", "rank/fake",
     "1: model: expected a recall model, found 'rank/fake' (did you mean 'recall/fake'?)"),
    ("recall/two_tower", "model: recall/fake", "about: x", "1: model: missing required key (expected str)"),
    ("recall/popular", "fake", "fake\nparams:\n  embed_dims: 1",
     "3: params.embed_dims: unknown key (did you mean 'embed_dim'?)"),
    ("recall/popular", "fake", "fake\nparams:\n  embed_dim: 0",
     "3: params.embed_dim: must be at least 1, found 0"),
    ("recall/popular", "fake", "fake\nparams: 3", "2: params: expected a mapping, found 3"),
    ("recall/two_tower", "1e-2", "0", "5: fit.lr: must be above 0, found 0.0"),
    ("recall/two_tower", "exact", "exakt",
     "6: index.name: expected one of exact, hnswlib, faiss, milvus, found 'exakt' (did you mean 'exact'?)"),
    ("rank/dcn_v2", "fit", "index: {name: exact}\nfit", "2: index: only a recall entry has an index"),
    ("protocols/global-time", "version: 2", "version: 0", "1: version: must be at least 1, found 0"),
    ("protocols/global-time", "split: {kind: time}", "split: {kind: time, train: 0.95}",
     "4: split.validation: and train together must leave events for the test"),
    ("protocols/global-time", "version: 2", "name: x",
     "1: name: a protocol is named by its file, remove the key"),
    ("protocols/global-time", "recall/popular", "rank/dcn_v2",
     "3: candidates.channels[0]: no recall entry 'rank/dcn_v2' in configs"),
    ("funnels/page", "entry: recall/popular", "entry: recall/popule",
     "5: stages[0].recall.channels[0].entry: no recall entry 'recall/popule' in configs "
     "(did you mean 'recall/popular'?)"),
    ("funnels/page", "entry: rank/dcn_v2", "entry: rerank/mmr",
     "11: stages[4].rank.entry: no rank entry 'rerank/mmr' in configs"),
    ("funnels/page", "dataset: tiny", "dataset: other",
     "1: dataset: expected the dataset of the suite, 'tiny', found 'other'"),
    ("funnels/page", "  - merge: {total: 300}\n", "",
     "2: stages: must start with recall, merge, found recall, exposure"),
    ("funnels/page", "  - rank: {entry: rank/dcn_v2}\n", "",
     "2: stages: must have a rank stage for fusion to work on"),
    ("funnels/page", "rank: {entry: rank/dcn_v2}", "merge: {total: 9}",
     "2: stages: must come once and in the order recall, merge, prerank, rank, fusion, rerank, "
     "found recall, merge, exposure, prerank, merge, fusion, rerank"),
    ("funnels/page", "keep: 20", "kep: 20", "13: stages[6].rerank.kep: unknown key (did you mean 'keep'?)"),
    ("funnels/page", "exposure: {}", "exposure: {keep: 0}",
     "9: stages[2].exposure.keep: must be at least 1 or null, found 0"),
    ("funnels/page", "click_times", "click_time",
     "12: stages[5].fusion.formula: expected one of weighted_sum, click_times, found 'click_time' "
     "(did you mean 'click_times'?)"),
    ("funnels/page", "quota: 50", "quota: 0",
     "6: stages[0].recall.channels[0].quota: must be at least 1, found 0"),
    ("datasets/tiny", "name: tiny", "a: 1\na: 2", "2: a: duplicate key (first on line 1)"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "mistake"), MISTAKES)
def test_a_mistake_is_told_with_its_place(configs: Path, name: str, old: str, new: str, mistake: str) -> None:
    change(name, old, new)
    assert f"configs/{name}.yaml:{mistake}" in told()


TYPED = [
    ("seeds=[a]", "seeds[0]: expected int, found 'a'"),
    ("sedes=[1]", "sedes: unknown key (did you mean 'seeds'?)"),
    ("seeds", "seeds: expected key=value with a dotted key"),
    ("dataset=tinny", "dataset: no dataset 'tinny' in configs/datasets (did you mean 'tiny'?)"),
    ("dataset.url=x", "dataset.url: expected the key of something below 'dataset' that can be changed"),
    ("protocol.window=train", "protocol.window: expected one of test, validation, found 'train'"),
    ("protocol.windo=test", "protocol.windo: unknown key (did you mean 'window'?)"),
    ("recall/two_towr.fit.lr=1",
     "recall/two_towr.fit.lr: the suite has no 'recall/two_towr' (did you mean 'recall/two_tower'?)"),
    ("recall/two_tower.fit.lr=abc", "recall/two_tower.fit.lr: expected float, found 'abc'"),
    ("recall/two_tower.fit.lrr=1", "recall/two_tower.fit.lrr: unknown key (did you mean 'lr'?)"),
    ("recall/two_tower.params.embed_dim=true",
     "recall/two_tower.params.embed_dim: expected int, found true"),
    ("recall/two_tower.fits.lr=1", "recall/two_tower.fits: unknown key (did you mean 'fit'?)"),
    ("recall/popular=3",
     "recall/popular: expected the key of something below 'recall/popular' that can be changed"),
    ("funnels/page.merg.total=2", "funnels/page.merg: unknown key (did you mean 'merge'?)"),
    ("funnels/page.dataset=other",
     "funnels/page.dataset: expected the dataset of the suite, 'tiny', found 'other'"),
    ("funnels/page.merge.total=0", "funnels/page.stages[1].merge.total: must be at least 1 or null, found 0"),
    ("funnels/page.rank.entry=rank/dcn",
     "funnels/page.stages[4].rank.entry: no rank entry 'rank/dcn' in configs (did you mean 'rank/dcn_v2'?)"),
]  # fmt: skip


@pytest.mark.parametrize(("override", "mistake"), TYPED)
def test_a_mistake_on_the_command_line_names_the_key(configs: Path, override: str, mistake: str) -> None:
    assert told(override) == [f"command line: {mistake}"]


def test_the_mistakes_of_all_files_are_told_at_once(configs: Path) -> None:
    change("suites/quick", "funnels", "seedz: 1\nfunnels")
    change("protocols/global-time", "version: 2", "version: x")
    change("recall/popular", "recall/fake", "recall/fake\nfit: {lr: -1, epochs: 3}")
    change("rank/dcn_v2", "{batch_size: 16}", "[1")
    change("funnels/page", "total: 300", "total: many")
    change("datasets/tiny", "name: tiny", "\tname: tiny")
    found = told("rerank/mmr.fit.lr=1", "seeds=3", "recall/two_tower.fit.lr=0", "x")
    assert [line.split(": ")[0].removeprefix("configs/") for line in found if "command line" not in line] == [
        "suites/quick.yaml:9",
        "datasets/tiny.yaml:1",
        "recall/popular.yaml:2",
        "recall/popular.yaml:2",
        "protocols/global-time.yaml:1",
        "rank/dcn_v2.yaml:3",
        "funnels/page.yaml:8",
    ]
    assert len([line for line in found if line.startswith("command line: ")]) == 4


def test_a_missing_suite_and_the_overrides_are_told_together(configs: Path) -> None:
    with pytest.raises(ConfigErrors) as errors:
        resolve_suite("configs/suites/quik.yaml", ["a"])
    assert str(errors.value).splitlines() == [
        "command line: a: expected key=value with a dotted key",
        "configs/suites/quik.yaml: no such file (did you mean 'quick.yaml'?)",
    ]


def test_a_mistake_in_the_dataset_is_told_with_the_others(configs: Path) -> None:
    def refuse(path: Path) -> None:
        raise UserError(f"{path}: unknown key 'urll'")

    with pytest.raises(ConfigErrors) as errors:
        resolve_suite(SUITE, ["seeds=[]"], check_dataset=refuse)
    assert str(errors.value).splitlines() == [
        "command line: seeds: must not be empty",
        "configs/datasets/tiny.yaml: unknown key 'urll'",
    ]


TREES = {name: yaml.safe_load(text) for name, text in FILES.items() if "_base" not in name}
# The tasks that have weights are the dataset's to name.
MAPPINGS = [(name, path) for name, tree in TREES.items() for path in mappings(tree) if "weights" not in path]
NODES = [(name, path) for name, tree in TREES.items() for path in leaves(tree) + mappings(tree) if path]
VALUES = [None, True, -1, 0, 10**30, 1.5, "", "x", "recall/popular", "${x}", [], [[]], [None], {}, {"": 1}]


def resolve_with(name: str, path: tuple[Any, ...], value: object) -> Any:
    """Resolves the suite with `value` at `path` of one file, in a folder of its own."""
    tree = yaml.safe_load(FILES[name])
    inner = tree
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with tempfile.TemporaryDirectory() as folder, fake_models():
        build(Path(folder), {name: yaml.safe_dump(tree)})
        return resolve_suite(Path(folder) / SUITE, configs_root=Path(folder) / "configs")


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([place for place in MAPPINGS if not place[0].startswith("datasets/")]),
    st.text("abcdefghijklmnopqrstuvwxyz_", min_size=12, max_size=16),
)
def test_an_unknown_key_in_any_place_of_any_file_is_a_mistake(
    place: tuple[str, tuple[Any, ...]], key: str
) -> None:
    name, path = place
    with pytest.raises(ConfigErrors) as errors:
        resolve_with(name, (*path, key), 1)
    assert all(mistake.file.endswith(f"configs/{name}.yaml") for mistake in errors.value.mistakes)
    assert any(key in str(mistake) for mistake in errors.value.mistakes)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(NODES), st.sampled_from(VALUES))
def test_whatever_stands_in_a_file_nothing_else_is_raised(
    place: tuple[str, tuple[Any, ...]], value: object
) -> None:
    with contextlib.suppress(ConfigErrors):
        plan = resolve_with(*place, value)
        assert len({run.key("ab") for run in plan.runs}) == len(plan.runs)

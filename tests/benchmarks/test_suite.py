"""`benchmarks.suite`: what a sound suite is resolved to."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from fake_suite import SUITE, change

from benchmarks.entries import available
from benchmarks.funnels import FunnelConfig
from benchmarks.plan import Plan, RunSpec
from benchmarks.protocols import ProtocolConfig
from benchmarks.suite import resolve_suite
from zoo.core.check import check
from zoo.core.errors import UserError
from zoo.core.yaml import Node


def one(plan: Plan, entry: str) -> RunSpec:
    return next(run for run in plan.runs if run.entry == entry)


def test_the_plan_is_entries_then_funnels_each_with_every_seed(configs: Path) -> None:
    plan = resolve_suite(SUITE)
    assert [(run.entry, run.model, run.stage, run.seed) for run in plan.runs] == [
        (entry, model, stage, seed)
        for entry, model, stage in [
            ("recall/popular", "recall/fake", "recall"),
            ("recall/two_tower+params.embed_dim=16", "recall/fake", "recall"),
            ("rank/dcn_v2", "rank/fake", "rank"),
            ("funnels/page", "funnel", "funnel"),
        ]
        for seed in (0, 1)
    ]
    assert (plan.suite_name, plan.dataset, plan.protocol.label) == ("quick", "tiny", "global-time@2/test")


def test_configs_hold_every_default(configs: Path) -> None:
    config = one(resolve_suite(SUITE), "recall/two_tower+params.embed_dim=16").config
    assert set(config) == {"model", "params", "fit", "index", "dataset", "protocol"}
    assert config["params"] == {"embed_dim": 16, "hidden": [64, 32]}
    assert config["fit"] == {
        "max_epochs": 1,
        "batch_size": 1024,
        "lr": 0.01,
        "weight_decay": 0.0,
        "optimizer": "adam",
        "grad_clip": None,
    }
    assert config["index"] == {"name": "exact", "metric": "inner_product"}
    assert "candidates" not in config["protocol"] and config["protocol"]["split"]["train"] == 0.8


def test_configs_hold_all_entries_a_run_works_on(configs: Path) -> None:
    plan = resolve_suite(SUITE)
    assert set(one(plan, "rank/dcn_v2").config["entries"]) == {"recall/popular"}
    funnel = one(plan, "funnels/page").config
    used = ["recall/popular", "recall/two_tower", "prerank/three_tower", "rank/dcn_v2", "rerank/mmr"]
    assert list(funnel["entries"]) == used
    # A change in the suite is for the entry's own runs.
    assert funnel["entries"]["recall/two_tower"]["params"]["embed_dim"] == 4
    tags = [tag for stage in funnel["stages"] for tag in stage]
    assert tags == ["recall", "merge", "exposure", "prerank", "rank", "fusion", "rerank"]


def test_configs_round_trip_through_json(configs: Path) -> None:
    plan = resolve_suite(SUITE, ["funnels/page.recall.channels=[{entry: recall/popular}]"])
    for run in plan.runs:
        assert json.loads(json.dumps(run.config, allow_nan=False)) == run.config
    config = one(plan, "rank/dcn_v2").config
    assert check(Node.of(config["protocol"], "record"), ProtocolConfig) == plan.protocol
    stages = plan.runs[-1].config["stages"]
    assert (
        check(Node.of({"dataset": "tiny", "stages": stages}, "record"), FunnelConfig).stages[-1].tag
        == "rerank"
    )


@pytest.mark.parametrize(
    ("override", "entry", "path", "value"),
    [
        ("recall/popular.fit.lr=1e9", "recall/popular+fit.lr=1e9", "fit lr", 1e9),
        ("recall/two_tower.params.embed_dim=2", "recall/two_tower+params.embed_dim=2", "params embed_dim", 2),
        ("rank/dcn_v2.params.hidden=[8]", "rank/dcn_v2+params.hidden=[8]", "params hidden", [8]),
        ("recall/popular.index.name=hnswlib", "recall/popular+index.name=hnswlib", "index M", 16),
        ("funnels/page.merge.total=200", "funnels/page+merge.total=200", "stages 1 merge total", 200),
        ("funnels/page.about=x", "funnels/page+about=x", "stages 1 merge total", 300),
        ("dataset=tiny", "recall/popular", "dataset", "tiny"),
        ("protocol.window=validation", "rank/dcn_v2", "protocol window", "validation"),
        ("protocol.candidates.quota=7", "rank/dcn_v2", "protocol candidates quota", 7),
    ],
)
def test_overrides(configs: Path, override: str, entry: str, path: str, value: object) -> None:
    found: Any = one(resolve_suite(SUITE, [override]), entry).config
    for step in path.split():
        found = found[int(step) if isinstance(found, list) else step]
    assert found == value


def test_what_the_suite_and_the_command_line_change_goes_together(configs: Path) -> None:
    run = resolve_suite(SUITE, ["recall/two_tower.params.hidden=[8]"]).runs[2]
    assert run.entry == "recall/two_tower+params.embed_dim=16,params.hidden=[8]"
    assert run.config["params"] == {"embed_dim": 16, "hidden": [8]}


def test_a_label_names_an_entry_and_its_command_makes_it(configs: Path) -> None:
    change("suites/quick", "    params: {embed_dim: 16}", "    label: wide\n    params: {embed_dim: 16}")
    for overrides in ([], ["recall/two_tower.params.hidden=[8]"]):
        run = resolve_suite(SUITE, overrides).runs[2]
        assert run.entry == "recall/two_tower+wide" + "".join(f"+{o[17:]}" for o in overrides)
        assert run.config["params"]["embed_dim"] == 16
        *_, path = shlex.split(run.command)[:5]
        assert resolve_suite(path, shlex.split(run.command)[5:]).runs == [run]
    assert (
        resolve_suite(SUITE, ["entries=[{entry: rank/dcn_v2, label: '', fit: {lr: 1}}]"]).runs[0].entry
        == "rank/dcn_v2"
    )
    twice = "[{entry: rank/dcn_v2, label: a}, {entry: rank/dcn_v2, label: b}, {entry: rank/dcn_v2, label: a}]"
    with pytest.raises(UserError, match=r"'rank/dcn_v2\+a' is listed more than once"):
        resolve_suite(SUITE, [f"entries={twice}"])
    with pytest.raises(UserError, match=r"label: must be of letters, digits"):
        resolve_suite(SUITE, ["entries=[{entry: rank/dcn_v2, label: a b}]"])


def test_overrides_of_the_suite(configs: Path) -> None:
    entries = "entries=[rerank/mmr, {entry: rank/dcn_v2, fit: {lr: 1}}]"
    plan = resolve_suite(SUITE, ["seeds=[7]", entries, "funnels=[]"])
    assert [(run.entry, run.seed) for run in plan.runs] == [("rerank/mmr", 7), ("rank/dcn_v2+fit.lr=1", 7)]


def test_records_of_a_changed_protocol_do_not_look_like_those_of_the_file(configs: Path) -> None:
    def label(*overrides: str) -> str:
        return resolve_suite(SUITE, overrides).protocol.label

    assert label("protocol.window=validation") == "global-time@2/validation"
    assert label("protocol.split.train=0.7") == "global-time+split.train=0.7@2/test"
    assert label("protocol.candidates.channels=[recall/two_tower]").count("/") == 1


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["protocol.window=validation", "recall/popular.fit.lr=1e9"],
        ["funnels/page.fusion.weights={like: 0.5, watch: 2}", "dataset=tiny"],
        ["seeds=[5]", "entries=[{entry: rank/dcn_v2, params: {hidden: [1, 2]}}]", "protocol.split.train=.7"],
    ],
)
def test_the_command_makes_its_run_and_no_other(configs: Path, overrides: list[str]) -> None:
    for run in resolve_suite(SUITE, overrides).runs:
        *command, path = shlex.split(run.command)[:5]
        assert command == ["python", "-m", "benchmarks", "run"]
        assert resolve_suite(path, shlex.split(run.command)[5:]).runs == [run]


def test_what_is_available(configs: Path) -> None:
    found = available("configs")
    entries = ["recall/popular", "recall/two_tower", "prerank/three_tower", "rank/dcn_v2", "rerank/mmr"]
    assert found["entries"] == entries
    assert (found["funnels"], found["suites"], found["protocols"]) == (["page"], ["quick"], ["global-time"])
    assert found["datasets"] == ["other", "tiny"] and "rank/fake" in found["models"]
    assert available("nowhere")["entries"] == []

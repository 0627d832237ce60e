"""`benchmarks.plan`: the key of a run, and the table."""

from __future__ import annotations

import copy
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from fake_suite import FILES, SUITE, change, leaves
from rich.console import Console

from benchmarks.suite import describe, resolve_suite


def backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: backwards(item) for key, item in reversed(value.items())}
    return [backwards(item) for item in value] if isinstance(value, list) else value


def test_the_key_depends_on_every_leaf_and_not_on_the_order(configs: Path) -> None:
    run = resolve_suite(SUITE).runs[-1]
    keys = {run.key("ab"), run.key("cd"), replace(run, seed=9).key("ab")}
    for *path, last in leaves(run.config):
        config = copy.deepcopy(run.config)
        place: Any = config
        for step in path:
            place = place[step]
        place[last] = "changed"
        keys.add(replace(run, config=config).key("ab"))
    assert len(keys) == 3 + len(leaves(run.config))
    assert all(len(key) == 16 and int(key, 16) >= 0 for key in keys)
    shuffled = replace(run, config=backwards(run.config), command="", entry="")
    assert shuffled.key("ab") == run.key("ab")


def keys_of(suite: str) -> dict[tuple[str, int], str]:
    return {(run.entry, run.seed): run.key("ab") for run in resolve_suite(suite).runs}


def test_the_key_depends_on_what_shapes_the_result_only(configs: Path) -> None:
    before = keys_of(SUITE)
    assert len(set(before.values())) == len(before)
    (configs / "suites" / "again.yaml").write_text(FILES["suites/quick"].replace("seeds", "about: x\nseeds"))
    change("rank/dcn_v2", "model", "about: new prose\nmodel")
    assert keys_of("configs/suites/again.yaml") == before
    # The candidates that a ranker sees come from the channels of the protocol.
    change("recall/popular", "model: recall/fake", "model: recall/fake\nparams: {embed_dim: 3}")
    after = keys_of(SUITE)
    changed = {entry for entry, seed in before if before[entry, seed] != after[entry, seed]}
    assert changed == {"recall/popular", "rank/dcn_v2", "funnels/page"}


def test_candidates_are_nothing_to_a_recall_model(configs: Path) -> None:
    before = keys_of(SUITE)
    change("protocols/global-time", "candidates:", "candidates:\n  quota: 7")
    after = keys_of(SUITE)
    assert {entry for entry, seed in before if before[entry, seed] == after[entry, seed]} == {
        "recall/popular",
        "recall/two_tower+params.embed_dim=16",
    }


def test_the_table_shows_every_entry_with_its_seeds(configs: Path) -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(describe(resolve_suite(SUITE, ["rank/dcn_v2.params.hidden=[8]"])))
    text = console.export_text()
    assert "quick: tiny, global-time@2/test, 8 runs" in text
    assert "rank/dcn_v2+params.hidden=[8]" in text and text.count("0 1") == 4

"""An entry that builds on another: how it is resolved and fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_world import entry, runner, spec

from benchmarks.entries import resolve_entry
from zoo.core.errors import UserError
from zoo.core.mistakes import ConfigErrors
from zoo.core.yaml import Node

TOWER = "model: recall/two_tower\nparams: {embed_dim: 4}\n"


def resolved(folder: Path, changes: dict[str, Any] | None = None, **files: str) -> dict[str, Any]:
    (folder / "recall").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"recall/{name}.yaml").write_text(text)
    return resolve_entry(folder / "recall/near.yaml", changes and Node.of(changes, "test"))


@pytest.mark.parametrize("of", ["recall/tower", "{entry: recall/tower}"])
def test_the_other_entry_is_resolved_inside(of: str, tmp_path: Path) -> None:
    found = resolved(tmp_path, near=f"model: recall/vector_i2i\nof: {of}\n", tower=TOWER)
    assert found["of"] == resolve_entry(tmp_path / "recall/tower.yaml")
    assert found["of"]["params"]["embed_dim"] == 4 and "of" not in found["of"]


def test_its_numbers_can_be_changed_from_outside(tmp_path: Path) -> None:
    files = {"near": "model: recall/vector_i2i\nof: recall/tower\n", "tower": TOWER}
    found = resolved(tmp_path, {"of": {"fit": {"lr": 0.5}, "params": {"hidden": [2]}}}, **files)
    assert found["of"]["fit"]["lr"] == 0.5 and found["of"]["params"]["hidden"] == [2]
    found = resolved(tmp_path, {"of": "recall/ials"}, **files, ials="model: recall/ials\n")
    assert found["of"]["model"] == "recall/ials"


def test_one_may_build_on_one_that_builds_on_a_third(tmp_path: Path) -> None:
    files = {"near": "model: recall/vector_i2i\nof: recall/middle\n", "tower": TOWER}
    found = resolved(tmp_path, **files, middle="model: recall/vector_i2i\nof: recall/tower\n")
    assert found["of"]["of"]["model"] == "recall/two_tower"


def test_who_builds_on_nothing_has_no_such_key() -> None:
    assert "of" not in resolve_entry(Path(__file__).parents[2] / "configs/recall/popular.yaml")


NEAR = "model: recall/vector_i2i\nof: "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{NEAR}recall/towr", "2: of.entry: no recall entry 'recall/towr' in .*'recall/tower'"),
        (f"{NEAR}recall/near", "2: of.entry: recall/near would build on itself"),
        (f"{NEAR}{{}}", "2: of.entry: missing required key"),
        (f"{NEAR}3", "2: of: expected a mapping, found 3"),
        (f"{NEAR}{{entry: recall/tower, parms: {{}}}}", "2: of.parms: unknown key .*'params'"),
        (
            f"{NEAR}{{entry: recall/tower, params: {{embed: 3}}}}",
            "2: of.params.embed: unknown key .*'embed_dim'",
        ),
        ("model: recall/popular\nof: recall/tower", "2: of: recall/popular takes no vectors"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=message):
        resolved(tmp_path, near=text, tower=TOWER)


def test_the_vectors_of_the_other_decide_who_is_near(tmp_path: Path) -> None:
    harness = runner(tmp_path)
    near = {**entry("recall/vector_i2i"), "of": entry("recall/two_tower")}
    model, tower = harness.components.recall(near, 0), harness.components.recall(near["of"], 0)
    cosine = tower.item_vectors() @ tower.item_vectors().T
    cosine.fill_diagonal_(-2)[:, 0] = -2
    best = cosine[1:].max(1)
    assert torch.allclose(model.similarities[1:, 0], best.values.clamp(min=0), atol=1e-5)
    other = harness.components.recall({**near, "of": entry("recall/ials")}, 0)
    assert not other.neighbours.equal(model.neighbours)
    content = harness.components.recall(entry("recall/vector_i2i"), 0)
    assert not content.neighbours.equal(model.neighbours)


def test_a_run_of_it_is_measured_and_saved(tmp_path: Path) -> None:
    one = spec("recall/vector_i2i")
    one.config["of"] = entry("recall/ials")
    measured, _ = runner(tmp_path).run(one, tmp_path / "out")
    assert measured.metrics["recall@20"].mean > 0


def test_who_has_no_vectors_cannot_be_built_on(tmp_path: Path) -> None:
    near = {**entry("recall/vector_i2i"), "of": entry("recall/popular")}
    with pytest.raises(UserError, match="recall/popular has no item vectors"):
        runner(tmp_path).components.recall(near, 0)

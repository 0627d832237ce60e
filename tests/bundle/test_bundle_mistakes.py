"""A user's mistakes with folders and requests are one clear line each."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import zoo
from tests import tiny
from zoo.bundle import Bundle, build_funnel
from zoo.core.errors import UserError
from zoo.data.store import Store

STORE = Store.of(tiny.snapshot())


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    tiny.save(folder)
    return folder


def told(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_folder_that_is_not_there_or_holds_something_else(tmp_path: Path, saved: Path) -> None:
    assert (
        told(lambda: zoo.load_model(tmp_path / "no"))
        == f"{tmp_path / 'no'}: no saved model there (no config.json)"
    )
    assert told(lambda: zoo.load_funnel(tmp_path)) == f"{tmp_path}: no saved funnel there (no funnel.yaml)"
    assert "no saved model there" in told(lambda: zoo.load_model(saved / "funnel"))


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "truncated": lambda whole: whole[: len(whole) // 2],
    "no json": lambda whole: b"\xff\xfe not even text",
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    "file",
    [
        "config.json",
        "schema.json",
        "encoder.json",
        "store.json",
        "index.json",
        "model.safetensors",
        "users.safetensors",
    ],
)
def test_a_damaged_file_names_its_folder(tmp_path: Path, saved: Path, file: str, damage: str) -> None:
    folder = shutil.copytree(saved / "two_tower", tmp_path / "damaged")
    (folder / file).write_bytes(DAMAGE[damage]((folder / file).read_bytes()))
    assert told(lambda: zoo.load_model(folder)).startswith(f"{folder}: ")
    (folder / file).unlink()
    assert told(lambda: zoo.load_model(folder)).startswith(f"{folder}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a funnel (no 'stages')"),
        ("stage: []", "not a funnel (no 'stages')"),
        ("- stages", "expected a mapping"),
        ("stages: [", "YAML"),
        ("stages: 3", "not a funnel"),
        ("stages: [3]", "not a funnel"),
        ("stages: [{merge: {totl: 3}}]", "totl"),
        ("stages: [{blend: {}}]", "unknown stage 'blend'"),
        ("stages: [{recall: {channels: [{entry: nowhere, quota: 3}]}}]", "nowhere"),
        (
            "stages: [{rank: {entry: recall/popular}}]",
            "'recall/popular' is a recall model, which has no place there",
        ),
    ],
)
def test_a_damaged_funnel_says_what_is_wrong(tmp_path: Path, saved: Path, text: str, message: str) -> None:
    folder = shutil.copytree(saved / "funnel", tmp_path / "damaged")
    (folder / "funnel.yaml").write_text(text)
    assert message in told(lambda: zoo.load_funnel(folder))


def test_a_model_of_a_funnel_that_is_damaged_is_named(tmp_path: Path, saved: Path) -> None:
    folder = shutil.copytree(saved / "funnel", tmp_path / "damaged")
    shutil.rmtree(folder / "rank")
    assert str(folder / "rank" / "dcn_v2") in told(lambda: zoo.load_funnel(folder))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"k": 0}, "k must be at least 1, found 0"),
        ({"k": -3}, "k must be at least 1, found -3"),
        ({"profile": {"agee": 3}}, "profile: unknown column 'agee' (did you mean 'age'?)"),
        ({"history": {"wach": ["i1"]}}, "history: unknown behaviour 'wach' (did you mean 'watch'?)"),
        ({"history": "i1"}, "history: expected a list of item ids, found 'i1'"),
    ],
)
def test_a_request_that_makes_no_sense(asked: dict[str, object], message: str) -> None:
    assert told(lambda: Bundle(STORE, model=tiny.model("recall/popular")).recommend("u1", **asked)) == message


def test_what_cannot_recommend_says_so() -> None:
    reranker = Bundle(STORE, model=tiny.model("rerank/mmr"))
    assert told(reranker.recommend).startswith("rerank/mmr cannot recommend on its own")
    assert told(Bundle(STORE).recommend).startswith("an empty bundle cannot recommend")


def test_a_stage_that_nobody_knows() -> None:
    message = told(lambda: build_funnel([{"mrge": {}}], {}, STORE))
    assert message == "funnel: unknown stage 'mrge' (did you mean 'merge'?)"

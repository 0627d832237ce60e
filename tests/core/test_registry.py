from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo.core import registry
from zoo.core.config import ModelConfig
from zoo.core.errors import UserError
from zoo.core.registry import STAGES, create_model, list_models, model_class, register


@dataclass(frozen=True)
class Tiny(ModelConfig):
    embed_dim: int = 8
    name: str = ""


def make(module: str, qualname: str = "Model", config: Any = Tiny) -> type[Any]:
    def init(self: Any, schema: object, config: object) -> None:
        self.schema, self.config = schema, config

    return type(
        qualname, (), {"__init__": init, "__module__": module, "Config": config, "__qualname__": qualname}
    )


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with two models, apart from the real registry."""
    for file in (
        "rank/dcn_v2.py",
        "rank/_cross.py",
        "rank/__init__.py",
        "recall/popular.py",
        "layers/mlp.py",
    ):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    monkeypatch.setattr(registry, "_ROOT", tmp_path)
    monkeypatch.setattr(registry, "_CLASSES", {})
    return tmp_path


def test_import_and_list_are_light() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import zoo; zoo.list_models();"
        "heavy = {'torch', 'lightning', 'omegaconf', 'yaml', 'numpy'};"
        "print(time.perf_counter() - start, *heavy & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3)]
    best = min((run.split() for run in runs), key=lambda words: float(words[0]))
    assert best[1:] == [] and float(best[0]) < 0.3


def test_the_public_names() -> None:
    assert {"list_models", "create_model", "load_model", "load_funnel", "__version__"} <= set(dir(zoo))
    assert zoo.list_models is list_models and zoo.create_model is create_model
    assert zoo.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="no attribute 'list_model'"):
        _ = zoo.list_model  # type: ignore[attr-defined]


def test_real_models_are_the_files() -> None:
    root = Path(zoo.__file__).parent
    files = {f"{s}/{p.stem}" for s in STAGES for p in (root / s).glob("*.py") if not p.name.startswith("_")}
    assert files <= set(list_models())


def test_list_is_in_the_order_of_the_funnel(house: Path) -> None:
    register(name="rank/a_mine")(make("my.models"))
    assert list_models() == ["recall/popular", "rank/a_mine", "rank/dcn_v2"]
    assert list_models("rank") == ["rank/a_mine", "rank/dcn_v2"] and list_models("rerank") == []
    with pytest.raises(UserError, match=r"unknown stage 'ranks' \(did you mean 'rank'\?\)"):
        list_models("ranks")


def test_a_model_is_named_by_its_path_and_imported_on_first_use(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported: list[str] = []

    def importing(module: str) -> None:
        imported.append(module)
        register(make(module))

    monkeypatch.setattr(registry, "import_module", importing)
    for _ in range(2):
        cls = model_class("rank/dcn_v2")
    assert imported == ["zoo.rank.dcn_v2"]
    assert (cls.registry_name, cls.stage) == ("rank/dcn_v2", "rank")


def test_unknown_models(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^unknown model 'rank/dcn2' \(did you mean 'rank/dcn_v2'\?\)$"):
        model_class("rank/dcn2")
    with pytest.raises(UserError, match=r"unknown model '\.\./x'"):
        model_class("../x")
    monkeypatch.setattr(registry, "import_module", lambda name: None)
    with pytest.raises(UserError, match=r"zoo/rank/dcn_v2.py defines no class with @register"):
        model_class("rank/dcn_v2")


@pytest.mark.parametrize(
    ("module", "name", "config", "message"),
    [
        ("my.models", None, Tiny, "my.models.Model: expected a module zoo.<stage>.<name>, or a name"),
        (
            "zoo.rank.x",
            "rank/y",
            Tiny,
            "zoo.rank.x.Model: expected its path 'rank/x' as the name, found 'rank/y'",
        ),
        ("zoo.layers.x", None, Tiny, "expected a module zoo.<stage>.<name>"),
        ("my.models", "ranking/x", Tiny, "expected a name like 'rank/my_model'"),
        ("my.models", "rank/My-Model", Tiny, "found 'rank/My-Model'"),
        ("my.models", "rank/dcn_v2", Tiny, "'rank/dcn_v2' is the name of a model of the package"),
        ("my.models", "rank/x", None, "expected a `Config` that derives from ModelConfig, found None"),
        ("my.models", "rank/x", dict, "expected a `Config` that derives from ModelConfig"),
    ],
)
def test_a_registration_that_does_not_fit(
    house: Path, module: str, name: str | None, config: Any, message: str
) -> None:
    cls = make(module, config=config)
    with pytest.raises(UserError) as error:
        register(name=name)(cls) if name else register(cls)
    assert message in str(error.value) and list_models() == ["recall/popular", "rank/dcn_v2"]


def test_one_class_to_a_name_but_a_reload_is_fine(house: Path) -> None:
    register(make("zoo.rank.dcn_v2"))
    again = register(make("zoo.rank.dcn_v2"))
    assert model_class("rank/dcn_v2") is again
    with pytest.raises(UserError, match=r"'rank/dcn_v2' is already the name of zoo.rank.dcn_v2.Model"):
        register(make("zoo.rank.dcn_v2", "Other"))


def test_create_model_checks_its_parameters(house: Path) -> None:
    register(name="rank/mine")(make("my.models"))
    schema: Any = object()
    model = create_model("rank/mine", schema, embed_dim=16, name="x")
    assert model.schema is schema and model.config == Tiny(16, "x")
    with pytest.raises(UserError) as error:
        create_model("rank/mine", schema, embed_dims=16, name=3)
    assert str(error.value).splitlines() == [
        "create_model('rank/mine'): embed_dims: unknown key (did you mean 'embed_dim'?)",
        "create_model('rank/mine'): name: expected str, found 3",
    ]

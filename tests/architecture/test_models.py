"""What every file of a model and every config of one must look like, whatever the model."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from benchmarks.entries import entry_names, resolve_entry
from zoo.core.config import ModelConfig
from zoo.core.registry import list_models, model_class

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
MODELS = list_models()

FORBIDDEN = {
    "zoo.data": "a model gets batches",
    "zoo.metrics": "measuring is the harness's",
    "torchmetrics": "measuring is the harness's",
    "torch.optim": "optimizers are the bases'",
    "torch.utils.data": "a model gets batches",
    "pytorch_lightning": "the bases in zoo.training are Lightning's only users",
    "benchmarks": "the library stands alone",
}

# One spelling for one thing across all models.
SPELLING = {
    **dict.fromkeys(("embedding_dim", "emb_dim", "embed_size", "embedding_size", "latent_dim"), "embed_dim"),
    **dict.fromkeys(("n_layers", "layers", "num_hidden_layers", "depth"), "num_layers"),
    **dict.fromkeys(("dropout_rate", "drop", "p_dropout"), "dropout"),
    **dict.fromkeys(("hidden_units", "hidden_dims", "hidden_sizes", "mlp_dims"), "hidden"),
    **dict.fromkeys(("max_len", "maxlen", "seq_len", "max_history"), "history_length"),
}


def tree_of(model: str) -> ast.Module:
    return ast.parse((ROOT / "zoo" / f"{model}.py").read_text())


def imports_of(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_there_are_models_at_every_stage() -> None:
    assert {name.split("/")[0] for name in MODELS} == {"recall", "prerank", "rank", "rerank"}


@pytest.mark.parametrize("name", MODELS)
def test_a_name_is_a_path(name: str) -> None:
    cls = model_class(name)
    assert Path(inspect.getfile(cls)) == ROOT / "zoo" / f"{name}.py"
    assert (cls.registry_name, cls.stage) == (name, name.split("/")[0])


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_config_of_its_name(name: str) -> None:
    path = CONFIGS / f"{name}.yaml"
    assert path.is_file(), f"expected {path.relative_to(ROOT)}"
    assert resolve_entry(path)["model"] == name


@pytest.mark.parametrize("entry", entry_names(CONFIGS))
def test_a_config_names_a_model_and_known_keys(entry: str) -> None:
    assert resolve_entry(CONFIGS / f"{entry}.yaml")["model"] in MODELS


@pytest.mark.parametrize("name", MODELS)
def test_a_docstring_cites_the_paper_and_says_what_differs(name: str) -> None:
    text = " ".join(inspect.cleandoc(model_class(name).__doc__ or "").split())
    assert re.search(r'"[^"]{10,}" \([^()]+ (19|20)\d\d, https://[^ )]+\)', text), (
        'expected `"Title" (authors, venue year, https://…)` in the docstring'
    )
    assert re.search(r"\bUnlike\b", text), "expected a sentence on what differs, with the word Unlike"


@pytest.mark.parametrize("name", MODELS)
def test_a_model_does_nothing_but_model(name: str) -> None:
    found = imports_of(tree_of(name))
    for forbidden, reason in FORBIDDEN.items():
        guilty = [module for module in found if f"{module}.".startswith(f"{forbidden}.")]
        assert not guilty, f"imports {guilty[0]}: {reason}"


@pytest.mark.parametrize("name", MODELS)
def test_no_function_of_a_model_swallows_keywords(name: str) -> None:
    functions = [node for node in ast.walk(tree_of(name)) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    swallowing = [node.lineno for node in functions if node.args.kwarg]
    assert not swallowing, f"lines {swallowing}: a typo in a config would go unnoticed"


@pytest.mark.parametrize("name", MODELS)
def test_no_model_mentions_optimizers(name: str) -> None:
    names = {node.attr for node in ast.walk(tree_of(name)) if isinstance(node, ast.Attribute)}
    methods = {node.name for node in ast.walk(tree_of(name)) if isinstance(node, ast.FunctionDef)}
    assert not (names | methods) & {"optim", "optimizers", "configure_optimizers", "backward", "zero_grad"}


@pytest.mark.parametrize("name", MODELS)
def test_a_config_is_frozen_documented_and_spelled_alike(name: str) -> None:
    config = model_class(name).Config
    assert issubclass(config, ModelConfig) and config.__dataclass_params__.frozen
    documented = "\n".join(inspect.cleandoc(base.__doc__ or "") for base in config.__mro__[:-1])
    for field in dataclasses.fields(config):
        assert field.name not in SPELLING, f"{field.name} is called {SPELLING[field.name]} here"
        assert re.search(rf"^ +{field.name}: \S", documented, re.MULTILINE), f"{field.name} is not documented"


@pytest.mark.parametrize("name", MODELS)
def test_one_model_to_a_file(name: str) -> None:
    registered = [
        node.name
        for node in tree_of(name).body
        if isinstance(node, ast.ClassDef) and any("register" in ast.unparse(d) for d in node.decorator_list)
    ]
    assert registered == [model_class(name).__name__]

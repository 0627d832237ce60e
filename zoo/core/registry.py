"""Models by name. The name of a model is its path: `rank/dcn_v2` is the class in zoo/rank/dcn_v2.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from zoo.core.config import ModelConfig
from zoo.core.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from zoo.core.schema import Schema

STAGES = ("recall", "prerank", "rank", "rerank")

_ROOT = Path(__file__).parents[1]
_CLASSES: dict[str, type[Any]] = {}

M = TypeVar("M", bound=type[Any])


def list_models(stage: str | None = None) -> list[str]:
    """The names of all models, in the order of the funnel, without importing any.

    Args:
        stage: Only this stage: recall, prerank, rank or rerank.

    Raises:
        UserError: If there is no such stage.
    """
    if stage is not None and stage not in STAGES:
        near = did_you_mean(stage, STAGES)
        raise UserError(f"unknown stage {stage!r}{near}, expected one of {', '.join(STAGES)}")
    names = {*_built_in(), *_CLASSES}
    return [name for s in STAGES if stage in (None, s) for name in sorted(names) if name.startswith(f"{s}/")]


@overload
def register(cls: M, /) -> M: ...
@overload
def register(*, name: str) -> Callable[[M], M]: ...
def register(cls: M | None = None, /, *, name: str | None = None) -> M | Callable[[M], M]:
    """Class decorator that makes a model known, and sets its `registry_name` and `stage`.

    Args:
        cls: The model class, with a `Config` that derives from `ModelConfig`; one to a module.
        name: The name of a model from outside the package, such as `rank/my_model`; the models in the package
            are named by their path.

    Raises:
        UserError: If the name does not fit, is taken, or the class has no proper `Config`.
    """
    if cls is None:
        return lambda decorated: _record(decorated, name)
    return _record(cls, name)


def model_class(name: str) -> type[Any]:
    """The class called `name`, imported on first use.

    Raises:
        UserError: If there is no such model.
    """
    if name not in _CLASSES:
        if name not in _built_in():
            near = did_you_mean(name, list_models()) or "; zoo.list_models() names them all"
            raise UserError(f"unknown model {name!r}{near}")
        import_module(f"zoo.{name.replace('/', '.')}")
    if name not in _CLASSES:
        raise UserError(f"zoo/{name}.py defines no class with @register")
    return _CLASSES[name]


def create_model(name: str, schema: Schema, /, **params: Any) -> Any:
    """Builds a fresh model.

    Args:
        name: Its name, such as `rank/dcn_v2`.
        schema: What the model needs to know about the data.
        **params: Fields of the model's `Config`.

    Returns:
        The model, a `zoo.training.ZooModel`.

    Raises:
        UserError: If there is no such model, or a parameter is unknown or of the wrong type.
    """
    # Here, because OmegaConf would make `import zoo; zoo.list_models()` slow.
    from zoo.core.check import check
    from zoo.core.yaml import Node

    cls = model_class(name)
    return cls(schema, check(Node.of(params, f"create_model({name!r})"), cls.Config))


def _built_in() -> set[str]:
    files = (file for stage in STAGES for file in (_ROOT / stage).glob("[!_]*.py"))
    return {f"{file.parent.name}/{file.stem}" for file in files}


def _record(cls: M, name: str | None) -> M:
    where = f"{cls.__module__}.{cls.__qualname__}"
    name = _checked_name(cls.__module__, where, name)
    other = _CLASSES.get(name)
    # The same class again is a reloaded module, or a notebook cell that was run again.
    if other is not None and f"{other.__module__}.{other.__qualname__}" != where:
        raise UserError(f"{where}: {name!r} is already the name of {other.__module__}.{other.__qualname__}")
    config = getattr(cls, "Config", None)
    if not (isinstance(config, type) and issubclass(config, ModelConfig)):
        raise UserError(f"{where}: expected a `Config` that derives from ModelConfig, found {config!r}")
    cls.registry_name, cls.stage = name, name.split("/")[0]
    _CLASSES[name] = cls
    return cls


def _checked_name(module: str, where: str, name: str | None) -> str:
    stages = "|".join(STAGES)
    path = re.fullmatch(rf"zoo\.({stages})\.([a-z]\w*)", module)
    if path:
        own = f"{path[1]}/{path[2]}"
        if name not in (None, own):
            raise UserError(f"{where}: expected its path {own!r} as the name, found {name!r}")
        return own
    if name is None:
        raise UserError(
            f"{where}: expected a module zoo.<stage>.<name>, or a name: @register(name='rank/my_model')"
        )
    if not re.fullmatch(rf"({stages})/[a-z][a-z0-9_]*", name):
        raise UserError(f"{where}: expected a name like 'rank/my_model' (stages {stages}), found {name!r}")
    if name in _built_in():
        raise UserError(f"{where}: {name!r} is the name of a model of the package")
    return name

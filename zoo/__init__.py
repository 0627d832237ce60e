"""FunnelZoo: recommender models by funnel stage. `import zoo` is light, torch comes with the first model."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.bundle import load_funnel, load_model
    from zoo.core.registry import create_model, list_models

    __version__: str

__all__ = ["__version__", "create_model", "list_models", "load_funnel", "load_model"]

_HOMES = {
    "list_models": "zoo.core.registry",
    "create_model": "zoo.core.registry",
    "load_model": "zoo.bundle",
    "load_funnel": "zoo.bundle",
}


def __getattr__(name: str) -> object:
    """Imports a public name on its first use."""
    if name not in __all__:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    value = _version() if name == "__version__" else getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("funnelzoo")
    except PackageNotFoundError:
        return "0+unknown"

"""Models and funnels in folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from zoo.bundle.build import build_funnel, entries_of
from zoo.bundle.serve import Bundle
from zoo.core.errors import UserError
from zoo.core.yaml import load
from zoo.data.store import Store
from zoo.training import ZooModel
from zoo.training.module import write_text


def save_model(model: ZooModel, store: Store, folder: str | Path, card: str = "") -> None:
    """Saves a model with its encoders; `load_model` reads it back.

    Args:
        model: A fitted model.
        store: Encoders, catalogue and known users.
        folder: Made if need be.
        card: Text of the model card.
    """
    folder = Path(folder)
    store.save(folder)
    model.save_pretrained(folder, card)


def load_model(folder: str | Path) -> Bundle:
    """A saved model, ready to recommend and to score.

    Raises:
        UserError: The folder holds no model, or a damaged one.
    """
    folder = Path(folder)
    if not (folder / "config.json").exists():
        raise UserError(f"{folder}: no saved model there (no config.json)")
    store = Store.load(folder)
    return Bundle(store, model=_prepared(folder, store))


def save_funnel(
    stages: Sequence[Mapping[str, Mapping[str, Any]]],
    models: Mapping[str, ZooModel],
    store: Store,
    folder: str | Path,
    card: str = "",
) -> None:
    """Saves a funnel: its models in folders, the encoders once, and `funnel.yaml`, which comes last."""
    folder = Path(folder)
    store.save(folder)
    for name, model in models.items():
        model.save_pretrained(folder / name)
    about = "# A FunnelZoo funnel\n\nLoad it with `zoo.load_funnel(folder)`.\n"
    write_text(folder / "README.md", card or about)
    write_text(folder / "funnel.yaml", OmegaConf.to_yaml(OmegaConf.create({"stages": list(stages)})))


def load_funnel(folder: str | Path) -> Bundle:
    """A saved funnel, ready to recommend.

    Raises:
        UserError: The folder holds no funnel, or a damaged one.
    """
    folder = Path(folder)
    if not (folder / "funnel.yaml").exists():
        raise UserError(f"{folder}: no saved funnel there (no funnel.yaml)")
    store = Store.load(folder)
    described = load(folder / "funnel.yaml").plain()
    try:
        stages: list[Any] = described["stages"]
        models = {name: _prepared(folder / name, store) for name in dict.fromkeys(entries_of(stages))}
        return Bundle(store, funnel=build_funnel(stages, models, store))
    except KeyError as error:
        raise UserError(f"{folder / 'funnel.yaml'}: not a funnel (no {error})") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{folder / 'funnel.yaml'}: not a funnel ({error})") from error


def _prepared(folder: Path, store: Store) -> ZooModel:
    model = ZooModel.from_pretrained(folder)
    model.prepare(store.catalogue)
    return model

"""Entries by name: a model with its numbers, checked, with all defaults filled in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.configs import EntryConfig
from zoo.core.check import check, to_plain
from zoo.core.errors import UserError, did_you_mean
from zoo.core.mistakes import ConfigErrors, Mistakes
from zoo.core.registry import STAGES, list_models, model_class
from zoo.core.yaml import Node, load

Json: TypeAlias = dict[str, Any]


def config_names(root: Path, kind: str) -> list[str]:
    """The configs in a folder below `root`; a file with a leading underscore is only a base for others."""
    return sorted(path.stem for path in (root / kind).glob("[!_]*.yaml"))


def entry_names(root: Path) -> list[str]:
    """All entries, such as `recall/popular`, in the order of the funnel."""
    return [f"{stage}/{name}" for stage in STAGES for name in config_names(root, stage)]


def available(configs_root: Path | str = "configs") -> dict[str, list[str]]:
    """The names of all entries, funnels, suites, datasets, protocols and models; no model is imported."""
    root = Path(configs_root)
    kinds = ("funnels", "suites", "datasets", "protocols")
    named = {kind: config_names(root, kind) for kind in kinds}
    return {"entries": entry_names(root), **named, "models": list_models()}


def find_entry(root: Path, ref: Node, key: str, stage: str | None = None) -> Path:
    """The file of the entry that `ref` names.

    Args:
        root: The folder of all configs.
        ref: The name where it stands.
        key: The dotted key of `ref`.
        stage: The stage the entry must be of.

    Raises:
        ConfigErrors: If there is no such entry.
    """
    valid = [name for name in entry_names(root) if stage is None or name.startswith(f"{stage}/")]
    if ref.value not in valid:
        near = did_you_mean(str(ref.value), valid)
        kind = f"{stage} entry" if stage else "entry"
        raise ConfigErrors([ref.mistake(key, f"no {kind} {ref.value!r} in {root}{near}")])
    return root / f"{ref.value}.yaml"


def find_config(root: Path, kind: str, ref: Node, key: str) -> Path:
    """The file of the dataset, protocol or funnel (`kind` in the plural) that `ref` names.

    Raises:
        ConfigErrors: If there is none.
    """
    valid = config_names(root, kind)
    if ref.value not in valid:
        near = did_you_mean(str(ref.value), valid)
        raise ConfigErrors([ref.mistake(key, f"no {kind[:-1]} {ref.value!r} in {root / kind}{near}")])
    return root / kind / f"{ref.value}.yaml"


def resolve_entry(path: Path, changes: Node | None = None, above: tuple[Path, ...] = ()) -> Json:
    """An entry's model, params, fit and index with all defaults, and `of` where it builds on another.

    Args:
        path: Its file; the folder is the stage.
        changes: Merged over the file.
        above: The files of the entries that build on it.

    Raises:
        ConfigErrors: With every mistake.
    """
    node = _of_as_mapping(load(path))
    node = node.merged(_of_as_mapping(changes)) if changes else node
    mistakes = Mistakes()
    config = mistakes.attempt(lambda: check(node, EntryConfig))
    params = mistakes.attempt(lambda: _params(node, path.parent.name))
    for key, what in (("index", "an index"), ("hard", "hard negatives")):
        if (own := node.get(key)) and own.value is not None and path.parent.name != "recall":
            mistakes.found.append(own.mistake(key, f"only a recall entry has {what}"))
    other = mistakes.attempt(lambda: _other(node, path, above))
    mistakes.raise_if_any()
    resolved: Json = to_plain(replace(config, params=params))  # type: ignore[type-var]
    del resolved["about"], resolved["of"]
    if resolved["hard"] is None:
        del resolved["hard"]
    if resolved["fit"]["embedding_decay"] is None:
        del resolved["fit"]["embedding_decay"]  # records from before there was one keep their ids
    return resolved | ({"of": other} if other else {})


def _of_as_mapping(node: Node) -> Node:
    """The node with `of: recall/two_tower` written as `of: {entry: recall/two_tower}`."""
    of = node.get("of")
    if of is None or not isinstance(of.value, str):
        return node
    return replace(node, value={**node.children, "of": replace(of, value={"entry": of})})


def _other(node: Node, path: Path, above: tuple[Path, ...]) -> Json | None:
    """The entry that this one builds on, resolved."""
    of = node.get("of")
    ref = of and of.get("entry")
    if of is None or ref is None:
        return None  # nothing is asked for, or `check` has told what is missing
    model = str((node.get("model") or node).value)
    if not getattr(model_class(model), "takes_vectors", False):
        raise ConfigErrors([of.mistake("of", f"{model} takes no vectors of another entry, remove the key")])
    file = find_entry(path.parents[1], ref, "of.entry", "recall")
    if file in (*above, path):
        raise ConfigErrors([ref.mistake("of.entry", f"{ref.value} would build on itself")])
    changes = replace(of, value={key: x for key, x in of.children.items() if key != "entry"})
    try:
        return resolve_entry(file, changes, (*above, path))
    except ConfigErrors as errors:
        # What is wrong in the other's own file stands there; what is wrong here is below `of`.
        own = (replace(m, key=f"of.{m.key}") if m.file == of.file else m for m in errors.mistakes)
        raise ConfigErrors(list(own)) from errors


def _params(node: Node, stage: str) -> Json:
    model = node.get("model")
    if model is None or not isinstance(model.value, str):
        return {}  # a mistake that `check` has told
    if not model.value.startswith(f"{stage}/"):
        near = did_you_mean(model.value, list_models(stage))
        raise ConfigErrors([model.mistake("model", f"expected a {stage} model, found {model.value!r}{near}")])
    try:
        config = model_class(model.value).Config
    except UserError as error:
        raise ConfigErrors([model.mistake("model", str(error))]) from error
    params: Json = to_plain(check(node.get("params") or replace(node, value={}), config, "params"))
    return params

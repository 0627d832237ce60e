"""Which funnel the hard negatives of a recall entry come from, resolved with all that it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.entries import find_config, find_entry, resolve_entry
from benchmarks.funnels import FunnelConfig, references
from zoo.core.check import check, to_plain
from zoo.core.mistakes import ConfigErrors
from zoo.core.yaml import Node, load

Json: TypeAlias = dict[str, Any]


def with_funnel(root: Path, config: Json, node: Node, channels: Json, dataset: str | None) -> Json:
    """A recall entry's config, in which `hard.made_of` holds the funnel's stages and the entries they use.

    The stages end with the last one that negatives come from, so that what comes after changes no result.

    Args:
        root: The folder of all configs.
        config: The resolved entry.
        node: The entry's file under all changes, where mistakes are.
        channels: The protocol's resolved channels, whose finds the funnel's later stages are trained on.
        dataset: That of the suite, None if not known.

    Raises:
        ConfigErrors: With the first mistake.
    """
    hard = node.children["hard"]
    file = load(find_config(root, "funnels", hard.children["funnel"], "hard.funnel"))
    funnel, wanted = check(file, FunnelConfig), config["hard"]["stages"]
    _check(hard, funnel, wanted, dataset)
    last = max(i for i, stage in enumerate(funnel.stages) if stage.tag in wanted)
    used = [(key, stage, ref) for key, stage, ref in references(file) if int(key[7 : key.index("]")]) <= last]
    entries = channels | {str(r.value): resolve_entry(find_entry(root, r, key, s)) for key, s, r in used}
    if own := [name for name, entry in entries.items() if "hard" in entry]:
        text = f"{own[0]} of the funnel {funnel_name(hard)} has hard negatives too: name one without"
        raise ConfigErrors([hard.children["funnel"].mistake("hard.funnel", text)])
    made_of = {"stages": to_plain(funnel.stages[: last + 1]), "entries": entries}
    return {**config, "hard": {**config["hard"], "made_of": made_of}}


def funnel_name(hard: Node) -> str:
    """How a message calls the funnel."""
    return repr(hard.children["funnel"].value)


def _check(hard: Node, funnel: FunnelConfig, wanted: list[str], dataset: str | None) -> None:
    tags = [stage.tag for stage in funnel.stages]
    if missing := [name for name in wanted if name not in tags]:
        place = hard.get("stages") or hard
        text = f"the funnel {funnel_name(hard)} has no {missing[0]} stage, only {', '.join(tags)}"
        raise ConfigErrors([place.mistake("hard.stages", text)])
    if dataset not in (None, funnel.dataset):
        text = f"expected a funnel on the dataset of the suite, {dataset!r}, found one on {funnel.dataset!r}"
        raise ConfigErrors([hard.children["funnel"].mistake("hard.funnel", text)])

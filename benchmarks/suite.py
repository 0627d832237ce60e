"""From a suite's YAML and changes on the command line to a plan, or to every mistake in all files at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks.configs import SuiteConfig
from benchmarks.entries import Json, config_names, find_config, find_entry, resolve_entry
from benchmarks.funnels import FunnelConfig, change, references
from benchmarks.hard_config import with_funnel
from benchmarks.overrides import Overrides, suffix
from benchmarks.plan import Job, Plan
from benchmarks.plan import describe as describe
from benchmarks.protocols import ProtocolConfig
from zoo.core.check import check, to_plain
from zoo.core.errors import UserError
from zoo.core.mistakes import ConfigErrors, Mistake, Mistakes
from zoo.core.yaml import Node, found, load

NO_CHANGE = ("entry", "label", "search")
"""Keys of an entry of a suite that change nothing of it."""


def resolve_suite(
    path: Path | str,
    overrides: Iterable[str] = (),
    configs_root: Path | str = "configs",
    check_dataset: Callable[[Path], object] = load,
    entries: list[Node] | None = None,
) -> Plan:
    """Reads and checks a suite and all it names; runs nothing.

    Args:
        path: The suite's YAML.
        overrides: `seeds=[0]`, `dataset=…`, `protocol.window=validation`; of an entry or funnel of the suite
            `recall/two_tower.fit.lr=1e9`, `funnels/ml-100k.merge.total=200`. A change of an entry is for its
            own runs, not for the funnels that use it.
        configs_root: The folder of all configs.
        check_dataset: Called with the dataset's file; raises UserError if it has a mistake.
        entries: In place of all entries and funnels of the suite, if given.

    Raises:
        ConfigErrors: With the mistakes of all files.
    """
    return _Resolver(Path(path), overrides, Path(configs_root), check_dataset, entries).plan()


class _Resolver:
    """Resolves one suite; goes on after a mistake, so values may be None until `raise_if_any`."""

    def __init__(
        self,
        path: Path,
        overrides: Iterable[str],
        root: Path,
        check_dataset: Callable[[Path], object],
        entries: list[Node] | None,
    ) -> None:
        self.path, self.root, self.check_dataset = path, root, check_dataset
        self.mistakes = Mistakes()
        self.overrides = Overrides(overrides, self.mistakes)
        file = self.mistakes.attempt(lambda: load(path))
        if file is None:
            raise ConfigErrors(self.mistakes.found)
        self.suite = file.merged(self.overrides.of_suite())
        self.whole = entries is None
        if entries is not None:
            listed = {"entries": Node(entries, file.file), "funnels": Node([], file.file)}
            self.suite = replace(self.suite, value=self.suite.children | listed)
        self.channels: Json = {}  # resolved entries that find the candidates of all stages after recall

    def plan(self) -> Plan:
        suite = self.mistakes.attempt(lambda: check(_with_mappings(self.suite), SuiteConfig))
        self.dataset()
        protocol = self.protocol()
        jobs = [self.entry(item, f"entries[{i}]") for i, item in enumerate(self.suite.items("entries"))]
        self.look_for_twins([job.shown for job in jobs if job])
        jobs += [self.funnel(ref, f"funnels[{i}]") for i, ref in enumerate(self.suite.items("funnels"))]
        if self.whole:
            self.overrides.tell_unused(self.names(), self.mistakes)
        self.mistakes.raise_if_any()
        assert suite and protocol
        command = ["python", "-m", "benchmarks", "run", str(self.path), *self.overrides.shared()]
        runs = [
            job.run(seed, suite, one, command)
            for job in jobs
            if job
            for one in protocol.each
            for seed in suite.seeds
        ]
        return Plan(self.path.stem, suite.dataset, protocol, runs)

    def dataset(self) -> None:
        ref = _text(self.suite.get("dataset"))
        if ref is None:
            return
        try:
            self.check_dataset(find_config(self.root, "datasets", ref, "dataset"))
        except ConfigErrors as errors:
            self.mistakes.found += errors.mistakes
        except UserError as error:
            self.mistakes.found.append(Mistake("", None, "", str(error)))

    def protocol(self) -> ProtocolConfig | None:
        changes = self.overrides.below("protocol")
        node = self.read("protocols", _text(self.suite.get("protocol")), "protocol")
        if node is None:
            return None
        node = node.merged(changes)
        for i, channel in enumerate((node.get("candidates") or node).items("channels")):
            self.use(self.channels, channel, f"candidates.channels[{i}]", "recall", "protocol")
        return self.mistakes.attempt(lambda: _protocol(node, changes), "protocol")

    def entry(self, item: Node, key: str) -> Job | None:
        ref, inline = item, replace(item, value={})
        if item.children:
            ref, key = item.children.get("entry", item), f"{key}.entry"
            inline = replace(item, value={k: node for k, node in item.children.items() if k not in NO_CHANGE})
        if not (name := _text(ref)):
            return None
        own = self.overrides.below(str(name.value))
        changes = inline.merged(own)
        path = self.mistakes.attempt(lambda: find_entry(self.root, ref, key))
        config = path and self.mistakes.attempt(lambda: self.resolved(path, changes), str(name.value))
        stage = str(name.value).split("/")[0]
        uses = {} if stage == "recall" else {"entries": dict(self.channels)}
        labelled = {} if item.get("label") is None else _without(item, "search")
        told = own if labelled else changes
        return Job(str(name.value), stage, {**config, **uses}, told.plain(), labelled) if config else None

    def funnel(self, ref: Node, key: str) -> Job | None:
        name = f"funnels/{ref.value}"
        changes = self.overrides.below(name)
        file = self.read("funnels", _text(ref), key)
        if file is None:
            return None
        node = self.mistakes.attempt(lambda: change(file, changes), name) or file
        uses = dict(self.channels)
        for place, stage, entry in references(node):
            self.use(uses, entry, place, stage, name)
        self.mistakes.attempt(lambda: self.same_dataset(node.get("dataset")), name)
        config = self.mistakes.attempt(lambda: check(node, FunnelConfig), name)
        parts = {"model": "funnel", "stages": to_plain(config.stages), "entries": uses} if config else {}
        return Job(name, "funnel", parts, changes.plain())

    def resolved(self, path: Path, changes: Node | None = None) -> Json:
        """An entry, with the funnel of its hard negatives if it has any."""
        config = resolve_entry(path, changes)
        if "hard" not in config:
            return config
        node, dataset = load(path), _text(self.suite.get("dataset"))
        node = node.merged(changes) if changes else node
        return with_funnel(self.root, config, node, self.channels, str(dataset.value) if dataset else None)

    def read(self, kind: str, ref: Node | None, key: str) -> Node | None:
        return ref and self.mistakes.attempt(lambda: load(find_config(self.root, kind, ref, key)))

    def use(self, uses: Json, ref: Node, key: str, stage: str, under: str) -> None:
        """Adds the entry that `ref` names to the entries a run depends on."""
        path = _text(ref) and self.mistakes.attempt(lambda: find_entry(self.root, ref, key, stage), under)
        channel = under == "protocol"
        make = resolve_entry if channel else self.resolved
        entry = uses[str(ref.value)] = path and self.mistakes.attempt(lambda: make(path))
        if channel and entry and "hard" in entry:
            text = "a channel must not have hard negatives, which come from models trained on its own finds"
            self.mistakes.found.append(ref.mistake(key, text))

    def same_dataset(self, own: Node | None) -> None:
        expected = self.suite.get("dataset")
        known = config_names(self.root, "datasets")
        if own and expected and expected.value in known and own.value != expected.value:
            text = f"expected the dataset of the suite, {found(expected)}, found {found(own)}"
            raise ConfigErrors([own.mistake("dataset", text)])

    def look_for_twins(self, names: list[str]) -> None:
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            entries = self.suite.children["entries"]
            self.mistakes.found.append(entries.mistake("entries", f"{name!r} is listed more than once"))

    def names(self) -> list[str]:
        entries = [item.get("entry") or item for item in self.suite.items("entries")]
        funnels = [f"funnels/{ref.value}" for ref in self.suite.items("funnels")]
        return [str(ref.value) for ref in entries] + funnels


def _protocol(node: Node, changes: Node) -> ProtocolConfig:
    if own := node.get("name"):
        raise ConfigErrors([own.mistake("name", "a protocol is named by its file, remove the key")])
    # Records of different splits must not look alike; the window is in the label as it is.
    renamed = suffix({key: value for key, value in changes.plain().items() if key not in ("window", "fold")})
    name = Path(node.file).stem + re.sub(r"[@/\s]", "_", renamed)
    return replace(check(node, ProtocolConfig), name=name)


def _with_mappings(suite: Node) -> Node:
    """The suite with every entry written as a mapping."""
    entries = suite.get("entries")
    if entries is None or not isinstance(entries.value, list):
        return suite
    items = [replace(i, value={"entry": i}) if isinstance(i.value, str) else i for i in entries.value]
    return replace(suite, value={**suite.children, "entries": replace(entries, value=items)})


def _without(node: Node, key: str) -> Json:
    """A mapping as plain values, without a key."""
    return {name: value for name, value in node.plain().items() if name != key}


def _text(node: Node | None) -> Node | None:
    """The node if it is text; if not, the check of its file tells the mistake."""
    return node if node is not None and isinstance(node.value, str) else None

"""Changes from the command line: `key=value` with a dotted key and a YAML value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from zoo.core.errors import did_you_mean
from zoo.core.mistakes import COMMAND_LINE, ConfigErrors, Mistake, Mistakes
from zoo.core.yaml import Node, parse


def parse_override(text: str) -> tuple[str, Any]:
    """`fit.lr=1e9` as `("fit.lr", 1e9)`.

    Raises:
        ConfigErrors: If there is no `=`, an empty part in the key, or no YAML after it.
    """
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise ConfigErrors([Mistake(COMMAND_LINE, None, text, "expected key=value with a dotted key")])
    try:
        return key, parse(value, COMMAND_LINE).plain()
    except ConfigErrors as errors:
        raise ConfigErrors([Mistake(COMMAND_LINE, None, key, m.text) for m in errors.mistakes]) from errors


class Overrides:
    """All changes of one command line, handed out by what they change."""

    def __init__(self, texts: Iterable[str], mistakes: Mistakes) -> None:
        parsed = [mistakes.attempt(partial(parse_override, text)) for text in texts]
        self.pairs: dict[str, Any] = dict(pair for pair in parsed if pair)
        self.unused = dict.fromkeys(self.pairs)

    def of_suite(self) -> Node:
        """Those of the suite's own keys: not below an entry or funnel (they have a slash) or the protocol."""
        keys = [key for key in self.pairs if not re.match(r"[^.]*/|(protocol|dataset)\.", key)]
        return self._take(keys, "")

    def below(self, name: str) -> Node:
        """Those whose keys begin with `name`, without it."""
        return self._take([key for key in self.pairs if key.startswith(f"{name}.")], f"{name}.")

    def shared(self) -> list[str]:
        """Those that concern every run of the suite, as `key=value`."""
        chosen = ("seeds", "entries", "funnels")
        keys = [key for key in self.pairs if "/" not in key.split(".")[0] and key not in chosen]
        return assignments({key: self.pairs[key] for key in keys})

    def _take(self, keys: list[str], prefix: str) -> Node:
        for key in keys:
            self.unused.pop(key, None)
        return nested((key.removeprefix(prefix), self.pairs[key]) for key in keys)

    def tell_unused(self, names: list[str], mistakes: Mistakes) -> None:
        """Makes a mistake of each that nobody asked for; `names` are those one could have meant."""
        for key in self.unused:
            head = key.split(".")[0]
            text = f"the suite has no {head!r}{did_you_mean(head, names)}"
            if head in (*names, "dataset"):
                text = f"expected the key of something below {head!r} that can be changed"
            mistakes.found.append(Mistake(COMMAND_LINE, None, key, text))


def nested(pairs: Iterable[tuple[str, Any]]) -> Node:
    """The tree of dotted keys; a later pair wins over an earlier one."""
    root = Node({}, COMMAND_LINE)
    for key, value in pairs:
        for part in reversed(key.split(".")):
            value = {part: value}
        root = root.merged(Node.of(value, COMMAND_LINE))
    return root


def flat(changes: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """The inverse of `nested`, on plain values."""
    if not isinstance(changes, dict):
        yield key, changes
        return
    for name, value in changes.items():
        yield from flat(value, f"{key}.{name}" if key else name)


def assignments(changes: dict[str, Any]) -> list[str]:
    """`key=value` for each change, sorted, each of which `parse_override` reads back."""
    return [f"{key}={to_text(value)}" for key, value in sorted(flat(changes))]


def suffix(changes: dict[str, Any]) -> str:
    """What the name of a changed entry gets, such as `+fit.lr=1e9`."""
    return "+" + ",".join(assignments(changes)) if list(flat(changes)) else ""


def to_text(value: Any) -> str:
    """The shortest YAML for a plain value: 1000000000.0 is 1e9."""
    if isinstance(value, float):
        short = re.sub(r"e\+?(-?)0*", r"e\1", f"{value:g}")
        return short if float(short) == value else repr(value)
    if isinstance(value, str) and _reads_back(value):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _reads_back(text: str) -> bool:
    try:
        return bool(parse(text, "").plain() == text)
    except ConfigErrors:
        return False

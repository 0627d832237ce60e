"""YAML files as trees that remember where every key stands."""

from __future__ import annotations

import math
import os
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from zoo.core.errors import did_you_mean
from zoo.core.mistakes import ConfigErrors, Mistake, Mistakes

# YAML 1.2 scalars. PyYAML speaks 1.1, in which 1e-3 is a string, `no` is a bool and 012 is ten.
_SCALARS: list[tuple[re.Pattern[str], Any]] = [
    (re.compile(r"|~|null|Null|NULL"), lambda text: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
]
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}


@dataclass(frozen=True)
class Node:
    """A value and the place of its key.

    Attributes:
        value: A dict of nodes, a list of nodes, or a scalar.
        file: The file as the user named it.
        line: The line of the key (of a list item: of the item), from 1; None outside of files.
    """

    value: object
    file: str
    line: int | None = None

    @classmethod
    def of(cls, value: object, file: str) -> Node:
        """Wraps plain Python values that stand in no file."""
        if isinstance(value, Mapping):
            return cls({str(key): cls.of(item, file) for key, item in value.items()}, file)
        if isinstance(value, list | tuple):
            return cls([cls.of(item, file) for item in value], file)
        return cls(value, file)

    def plain(self) -> Any:
        """The value as nested plain Python."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    @property
    def children(self) -> dict[str, Node]:
        """The nodes by key, empty when this is no mapping."""
        return self.value if isinstance(self.value, dict) else {}

    def get(self, key: str) -> Node | None:
        """The node below `key`, None when there is none."""
        return self.children.get(key)

    def items(self, key: str) -> list[Node]:
        """The list below `key`, empty when there is none."""
        node = self.get(key)
        return node.value if node and isinstance(node.value, list) else []

    def merged(self, over: Node) -> Node:
        """This tree under `over`: mappings merge key by key, all else is replaced."""
        if not (isinstance(self.value, dict) and isinstance(over.value, dict)):
            return over
        old = self.value
        new = {key: old[key].merged(node) if key in old else node for key, node in over.value.items()}
        return replace(self, value=old | new)

    def mistake(self, key: str, text: str) -> Mistake:
        """A mistake that stands here."""
        return Mistake(self.file, self.line, key, text)


def load(path: Path | str) -> Node:
    """Reads a YAML file, merged over the one file its `base:` may name.

    Args:
        path: The file; `base:` in it is relative to its folder.

    Raises:
        ConfigErrors: If a file cannot be read, is no YAML mapping, has a duplicate key, or a base has a base.
    """
    node = _read(Path(path))
    base = _pop_base(node)
    if base is None:
        return node
    if not isinstance(base.value, str):
        raise ConfigErrors([base.mistake("base", f"expected a relative path, found {found(base)}")])
    source = Path(os.path.normpath(Path(path).parent / base.value))
    under = _read(source, base)
    if second := _pop_base(under):
        raise ConfigErrors([second.mistake("base", f"a base may not have a base (this is one of {path})")])
    return replace(under.merged(node), file=node.file, line=node.line)


def parse(text: str, file: str) -> Node:
    """Parses YAML text with the places of its keys.

    Aliases, merge keys and tags are left out: the one way to share is `base:`.

    Raises:
        ConfigErrors: On a syntax error (the first one), or on duplicate keys, aliases and tags (all of them).
    """
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise ConfigErrors([_syntax_mistake(error, text, file)]) from error
    except RecursionError as error:
        raise ConfigErrors([Mistake(file, None, "", "not valid YAML: nested too deeply")]) from error
    if root is None:
        return Node(None, file, 1)
    reader = _Reader(file)
    node = reader.node(root, "", root.start_mark.line + 1)
    reader.mistakes.raise_if_any()
    return node


def _syntax_mistake(error: Any, text: str, file: str) -> Mistake:
    mark = getattr(error, "problem_mark", None)
    # A character that may not stand in YAML at all comes with its position instead of a mark.
    line = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return Mistake(file, line + 1, "", f"not valid YAML: {problem}")


def _read(path: Path, named_by: Node | None = None) -> Node:
    if not path.is_file():
        near = did_you_mean(path.name, (file.name for file in path.parent.glob("*.yaml")))
        at = Node(None, str(path)).mistake("", f"no such file{near}")
        raise ConfigErrors([named_by.mistake("base", f"no such file: {path}{near}") if named_by else at])
    try:
        node = parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigErrors([Mistake(str(path), None, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigErrors([Mistake(str(path), None, "", "not a text file in UTF-8")]) from error
    if node.value is None:
        return replace(node, value={})
    if not isinstance(node.value, dict):
        raise ConfigErrors([node.mistake("", f"expected a mapping, found {found(node)}")])
    return node


def _pop_base(node: Node) -> Node | None:
    return node.children.pop("base", None)


def found(node: Node) -> str:
    """How a mistake shows the value it found."""
    if isinstance(node.value, dict | list):
        return "a mapping" if isinstance(node.value, dict) else "a list"
    if node.value is None or isinstance(node.value, bool):
        return {None: "null", True: "true", False: "false"}[node.value]
    return reprlib.repr(node.value)


class _Reader:
    """Turns PyYAML's composed nodes into ours."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes = Mistakes()
        self.seen: set[int] = set()

    def node(self, source: Any, key: str, line: int) -> Node:
        if id(source) in self.seen:
            return self.reject(key, line, "aliases are not supported (share with `base:`)")
        self.seen.add(id(source))
        if source.tag not in _PLAIN_TAGS:
            return self.reject(key, line, f"tags are not supported, found {source.tag!r}")
        if isinstance(source, yaml.MappingNode):
            return Node(self.mapping(source, key), self.file, line)
        if isinstance(source, yaml.SequenceNode):
            items = enumerate(source.value)
            value = [self.node(item, f"{key}[{i}]", item.start_mark.line + 1) for i, item in items]
            return Node(value, self.file, line)
        return self.scalar(source, key, line)

    def mapping(self, source: Any, key: str) -> dict[str, Node]:
        result: dict[str, Node] = {}
        for name_node, value_node in source.value:
            line = name_node.start_mark.line + 1
            if not isinstance(name_node, yaml.ScalarNode):
                self.reject(key, line, "expected a name as the key, found a list or mapping")
                continue
            name = name_node.value
            path = f"{key}.{name}" if key else name
            if name in result:
                self.reject(path, line, f"duplicate key (first on line {result[name].line})")
                continue
            result[name] = self.node(value_node, path, line)
        return result

    def scalar(self, source: Any, key: str, line: int) -> Node:
        text: str = source.value
        if source.style is not None:  # quoted or a block: always text
            return Node(text, self.file, line)
        for pattern, convert in _SCALARS:
            if pattern.fullmatch(text):
                return self.number(text, convert, key, line)
        return Node(text, self.file, line)

    def number(self, text: str, convert: Any, key: str, line: int) -> Node:
        try:
            value = convert(text)
        except ValueError:  # Python refuses to read ints of thousands of digits
            value = math.inf
        if isinstance(value, float) and not math.isfinite(value):
            return self.reject(key, line, f"number out of range: {text[:20]}")
        return Node(value, self.file, line)

    def reject(self, key: str, line: int, text: str) -> Node:
        self.mistakes.found.append(Mistake(self.file, line, key, text))
        return Node(None, self.file, line)

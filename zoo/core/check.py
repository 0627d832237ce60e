"""Checks nested values against frozen dataclasses, and tells every mistake at once with its place.

The structure is walked here, so that one mistake does not hide the next; OmegaConf types the single values.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Iterable
from functools import cache, reduce
from operator import or_
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from zoo.core.errors import did_you_mean
from zoo.core.mistakes import Mistakes
from zoo.core.yaml import Node, found

T = TypeVar("T")

_BAD: Any = object()  # stands for a value whose mistakes are already told


def check(node: Node, cls: type[T], key: str = "") -> T:
    """Builds the frozen dataclass `cls` from a mapping.

    Understood are nested dataclasses, Optional, list, tuple[T, ...], dict[str, T], Literal, int, float, str,
    bool, Any, and unions of dataclasses, told apart by a `tag: ClassVar[str]` (`{tag: {…}}`) or by their
    first field, a Literal (`{name: hnswlib, …}`), which may be left out where one class alone has a default
    for it. An int may stand for a float; nothing else is converted.

    Args:
        node: The mapping with its places.
        cls: The dataclass; messages of its `__post_init__` begin with the name of the field they mean.
        key: The dotted key of `node` in its file, for the mistakes.

    Raises:
        ConfigErrors: With every mistake: unknown and missing keys, wrong types, and broken rules.
    """
    walk = _Walk()
    value: T = walk.value(node, cls, key)
    walk.mistakes.raise_if_any()
    return value


def to_plain(config: object) -> Any:
    """The inverse of `check`: nested plain JSON with all defaults filled in."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        body = {f.name: to_plain(getattr(config, f.name)) for f in dataclasses.fields(config) if f.init}
        tag = getattr(config, "tag", None)
        return {tag: body} if tag else body
    if isinstance(config, dict):
        return {key: to_plain(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [to_plain(value) for value in config]
    return config


class _Walk:
    """One walk over the nodes, `value` dispatches on the type hint."""

    def __init__(self) -> None:
        self.mistakes = Mistakes()

    def bad(self, node: Node, key: str, text: str) -> Any:
        self.mistakes.found.append(node.mistake(key, text))
        return _BAD

    def value(self, node: Node, hint: Any, key: str) -> Any:
        if hint is Any or (isinstance(hint, type) and isinstance(node.value, hint) and _is_record(hint)):
            return node.plain()
        declared, (hint, optional) = hint, _without_none(hint)
        if optional and node.value is None:
            return None
        origin = get_origin(hint)
        if _is_union(origin) and all(map(_is_record, get_args(hint))):
            return self.tagged(node, get_args(hint), key)
        if origin in (list, tuple):
            return self.sequence(node, origin, get_args(hint)[0], key)
        if origin is dict:
            return self.mapping(node, get_args(hint)[1], key)
        return self.record(node, hint, key) if _is_record(hint) else self.leaf(node, declared, key)

    def record(self, node: Node, cls: type[Any], key: str) -> Any:
        if not isinstance(node.value, dict):
            return self.bad(node, key, f"expected a mapping, found {found(node)}")
        hints = _hints(cls)
        for name in (name for name in node.value if name not in hints):
            self.bad(node.value[name], _join(key, name), f"unknown key{did_you_mean(name, hints)}")
        values = {n: self.value(node.value[n], h, _join(key, n)) for n, h in hints.items() if n in node.value}
        missing = [f.name for f in _fields(cls) if _is_required(f) and f.name not in node.value]
        for name in missing:
            self.bad(node, _join(key, name), f"missing required key (expected {_expected(hints[name])})")
        # A field with a mistake takes its default, so that the rules of the others are still checked.
        good = {name: value for name, value in values.items() if value is not _BAD}
        if any(_is_required(f) and f.name not in good for f in _fields(cls)):
            return _BAD
        built = self.build(node, cls, good, key)
        return built if len(good) == len(values) else _BAD

    def build(self, node: Node, cls: type[Any], values: dict[str, Any], key: str) -> Any:
        try:
            return cls(**values)
        except ValueError as error:
            for message in str(error).splitlines():
                name, _, rest = message.partition(" ")
                name = name.rstrip(":")
                if name in _hints(cls):
                    self.bad(node.get(name) or node, _join(key, name), rest)
                else:
                    self.bad(node, key, message)
            return _BAD

    def tagged(self, node: Node, classes: tuple[type[Any], ...], key: str) -> Any:
        if not isinstance(node.value, dict):
            return self.bad(node, key, f"expected a mapping, found {found(node)}")
        if all(hasattr(cls, "tag") for cls in classes):
            return self.one_key(node, {cls.tag: cls for cls in classes}, key)
        name = _fields(classes[0])[0].name
        by_tag = {tag: cls for cls in classes for tag in get_args(_hints(cls)[name])}
        chosen, usual = node.get(name), [cls for cls in classes if not _is_required(_fields(cls)[0])]
        if chosen is None and len(usual) == 1:
            return self.record(node, usual[0], key)
        if chosen is None:
            return self.bad(node, _join(key, name), f"missing required key (expected {_one_of(by_tag)})")
        tag = self.leaf(chosen, Literal[tuple(by_tag)], _join(key, name))
        return tag if tag is _BAD else self.record(node, by_tag[tag], key)

    def one_key(self, node: Node, by_tag: dict[str, type[Any]], key: str) -> Any:
        assert isinstance(node.value, dict)
        if len(node.value) != 1:
            names = ", ".join(node.value) or "none"
            return self.bad(node, key, f"expected one key, {_one_of(by_tag)}, found {names}")
        [(tag, body)] = node.value.items()
        if tag not in by_tag:
            near = did_you_mean(tag, by_tag)
            return self.bad(body, _join(key, tag), f"unknown key, expected {_one_of(by_tag)}{near}")
        return self.record(body, by_tag[tag], _join(key, tag))

    def sequence(self, node: Node, kind: type[Any], hint: Any, key: str) -> Any:
        if not isinstance(node.value, list):
            return self.bad(node, key, f"expected a list, found {found(node)}")
        values = [self.value(item, hint, f"{key}[{i}]") for i, item in enumerate(node.value)]
        return _BAD if any(value is _BAD for value in values) else kind(values)

    def mapping(self, node: Node, hint: Any, key: str) -> Any:
        if not isinstance(node.value, dict):
            return self.bad(node, key, f"expected a mapping, found {found(node)}")
        values = {name: self.value(item, hint, _join(key, name)) for name, item in node.value.items()}
        return _BAD if any(value is _BAD for value in values.values()) else values

    def leaf(self, node: Node, hint: Any, key: str) -> Any:
        typed = _BAD if isinstance(node.value, dict | list) else _typed(node.value, hint)
        if typed is not _BAD:
            return typed
        near = ""
        bare, _ = _without_none(hint)
        if get_origin(bare) is Literal and isinstance(node.value, str):
            near = did_you_mean(node.value, map(str, get_args(bare)))
        return self.bad(node, key, f"expected {_expected(hint)}, found {found(node)}{near}")


def _typed(value: object, hint: Any) -> Any:
    """`value` as OmegaConf types it, _BAD where it refuses or where it is laxer than we want to be."""
    holder = OmegaConf.structured(_holder(hint))
    try:
        OmegaConf.update(holder, "value", value)
        if OmegaConf.is_interpolation(holder, "value") or OmegaConf.is_missing(holder, "value"):
            return _BAD
        typed = holder.value
    except (OmegaConfBaseException, OverflowError):
        return _BAD
    if isinstance(typed, float) and not math.isfinite(typed):
        return _BAD
    # OmegaConf also takes "1" for an int and 1 for a bool; in a config these are slips.
    same = type(typed) is type(value) or (type(typed) is float and type(value) is int)
    return typed if same else _BAD


@cache
def _holder(hint: Any) -> type[Any]:
    return dataclasses.make_dataclass("Holder", [("value", hint)])


def _hints(cls: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in _fields(cls)}


def _fields(cls: type[Any]) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(cls) if field.init]


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _is_record(hint: Any) -> bool:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def _is_union(origin: Any) -> bool:
    return origin is Union or origin is types.UnionType


def _without_none(hint: Any) -> tuple[Any, bool]:
    args = get_args(hint)
    if not _is_union(get_origin(hint)) or type(None) not in args:
        return hint, False
    return reduce(or_, (arg for arg in args if arg is not type(None))), True


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _one_of(names: Iterable[Any]) -> str:
    return "one of " + ", ".join(map(str, names))


def _expected(hint: Any) -> str:
    hint, optional = _without_none(hint)
    origin = get_origin(hint)
    if origin is Literal:
        text = _one_of(get_args(hint))
    elif origin in (list, tuple):
        text = "a list"
    elif origin is dict or _is_record(hint) or (_is_union(origin) and _is_record(get_args(hint)[0])):
        text = "a mapping"
    else:
        text = " or ".join(arg.__name__ for arg in get_args(hint)) or getattr(hint, "__name__", str(hint))
    return f"{text} or null" if optional else text

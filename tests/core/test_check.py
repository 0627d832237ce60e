from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.core.check import check, to_plain
from zoo.core.config import demand
from zoo.core.mistakes import ConfigErrors
from zoo.core.yaml import Node, parse


@dataclass(frozen=True)
class Leaf:
    size: int = 1
    rate: float = 0.5
    kind: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        demand(
            (self.size > 0, f"size must be above 0, found {self.size}"),
            (self.rate < 9, "rate must be below 9"),
        )


@dataclass(frozen=True)
class Exact:
    name: Literal["exact"] = "exact"


@dataclass(frozen=True)
class Graph:
    name: Literal["graph"] = "graph"
    links: int = 8


@dataclass(frozen=True)
class Merge:
    tag: ClassVar[str] = "merge"
    total: int


@dataclass(frozen=True)
class Drop:
    tag: ClassVar[str] = "drop"


@dataclass(frozen=True)
class Root:
    title: str
    flag: bool = False
    clip: float | None = None
    pool: Literal["max", "min"] | None = None
    either: int | str = 3
    leaf: Leaf = field(default_factory=Leaf)
    leaves: list[Leaf] = field(default_factory=list)
    hidden: tuple[int, ...] = (64, 32)
    weights: dict[str, float] = field(default_factory=dict)
    free: dict[str, Any] = field(default_factory=dict)
    index: Exact | Graph | None = None
    stages: list[Merge | Drop] = field(default_factory=list)


def told(text: str, cls: type[Any] = Root) -> list[str]:
    with pytest.raises(ConfigErrors) as errors:
        check(parse(text, "f.yaml"), cls)
    return str(errors.value).splitlines()


def read(text: str) -> Root:
    return check(parse(text, "f.yaml"), Root)


FULL = """
title: "on"
flag: true
clip: 1
pool: max
either: x
leaf: {size: 3, rate: 1e-3, kind: sum}
leaves: [{size: 4}, {}]
hidden: [8]
weights: {like: 2, "1": 0.5}
free: {any: [1, {x: null}]}
index: {name: graph, links: 4}
stages: [{merge: {total: 5}}, {drop: {}}]
"""


def test_builds_nested_dataclasses_with_exact_types() -> None:
    config = read(FULL)
    assert config == Root(
        "on",
        True,
        1.0,
        "max",
        "x",
        Leaf(3, 0.001, "sum"),
        [Leaf(4), Leaf()],
        (8,),
        {"like": 2.0, "1": 0.5},
        {"any": [1, {"x": None}]},
        Graph(links=4),
        [Merge(5), Drop()],
    )
    assert type(config.clip) is float and type(config.weights["like"]) is float


@pytest.mark.parametrize("text", [FULL, "title: x", "title: x\nindex: {name: exact}\nclip: null"])
def test_to_plain_is_the_inverse(text: str) -> None:
    config = read(text)
    assert check(Node.of(to_plain(config), "record"), Root) == config


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("titel: x", "titel: unknown key (did you mean 'title'?)"),
        ("qqqq: x", "qqqq: unknown key"),
        ("flag: 'true'", "flag: expected bool, found 'true'"),
        ("flag: yes", "flag: expected bool, found 'yes'"),
        ("flag: 1", "flag: expected bool, found 1"),
        ("flag: null", "flag: expected bool, found null"),
        ("clip: abc", "clip: expected float or null, found 'abc'"),
        ("clip: '1'", "clip: expected float or null, found '1'"),
        ("clip: nan", "clip: expected float or null, found 'nan'"),
        ("clip: [1]", "clip: expected float or null, found a list"),
        ("pool: maxi", "pool: expected one of max, min or null, found 'maxi' (did you mean 'max'?)"),
        ("either: 1.5", "either: expected int or str, found 1.5"),
        ("leaf: {size: true}", "leaf.size: expected int, found true"),
        ("leaf: {size: abc}", "leaf.size: expected int, found 'abc'"),
        ("leaf: {size: 1.0}", "leaf.size: expected int, found 1.0"),
        ("leaf: {rate: false}", "leaf.rate: expected float, found false"),
        ("leaf: {rate: '${oc.env:HOME}'}", "leaf.rate: expected float, found '${oc.env:HOME}'"),
        (
            f"leaf: {{rate: 1{'0' * 400}}}",
            "leaf.rate: expected float, found 100000000000000000...0000000000000000000",
        ),
        ("leaf: {size: 0}", "leaf.size: must be above 0, found 0"),
        ("leaf: {kind: meam}", "leaf.kind: expected one of mean, sum, found 'meam' (did you mean 'mean'?)"),
        ("leaf: {kind: 1}", "leaf.kind: expected one of mean, sum, found 1"),
        ("leaf: {Size: 1}", "leaf.Size: unknown key (did you mean 'size'?)"),
        ("leaf: 3", "leaf: expected a mapping, found 3"),
        ("leaves: {size: 1}", "leaves: expected a list, found a mapping"),
        ("leaves: [{}, {size: x}]", "leaves[1].size: expected int, found 'x'"),
        ("hidden: [1, x]", "hidden[1]: expected int, found 'x'"),
        ("hidden: 64", "hidden: expected a list, found 64"),
        ("weights: {like: x}", "weights.like: expected float, found 'x'"),
        ("weights: [1]", "weights: expected a mapping, found a list"),
        ("index: {links: 3}", "index.name: missing required key (expected one of exact, graph)"),
        (
            "index: {name: grap}",
            "index.name: expected one of exact, graph, found 'grap' (did you mean 'graph'?)",
        ),
        ("index: {name: exact, links: 1}", "index.links: unknown key"),
        ("index: graph", "index: expected a mapping, found 'graph'"),
        ("stages: [{merge: {}}]", "stages[0].merge.total: missing required key (expected int)"),
        (
            "stages: [{marge: {}}]",
            "stages[0].marge: unknown key, expected one of merge, drop (did you mean 'merge'?)",
        ),
        (
            "stages: [{merge: {total: 1}, drop: {}}]",
            "stages[0]: expected one key, one of merge, drop, found merge, drop",
        ),
        ("stages: [drop]", "stages[0]: expected a mapping, found 'drop'"),
    ],
)
def test_each_kind_of_mistake_is_told_with_its_place(line: str, mistake: str) -> None:
    assert told(f"title: x\n\n{line}\n") == [f"f.yaml:3: {mistake}"]


def test_text_is_never_made_of_a_number_or_an_interpolation() -> None:
    assert told("title: 3") == ["f.yaml:1: title: expected str, found 3"]
    assert told("title: ${x}") == ["f.yaml:1: title: expected str, found '${x}'"]
    assert told("title: ???") == ["f.yaml:1: title: expected str, found '???'"]


def test_all_mistakes_are_told_at_once_in_the_order_of_lines() -> None:
    text = (
        "flag: 3\nleaf:\n  rate: 10\n  size: x\n  kinds: sum\nleaves:\n  - size: -1\n    rate: 10\nzzz: 1\n"
    )
    assert told(text) == [
        "f.yaml:1: flag: expected bool, found 3",
        "f.yaml:1: title: missing required key (expected str)",
        "f.yaml:3: leaf.rate: must be below 9",
        "f.yaml:4: leaf.size: expected int, found 'x'",
        "f.yaml:5: leaf.kinds: unknown key (did you mean 'kind'?)",
        "f.yaml:7: leaves[0].size: must be above 0, found -1",
        "f.yaml:8: leaves[0].rate: must be below 9",
        "f.yaml:9: zzz: unknown key",
    ]


def test_a_value_of_the_dataclass_itself_passes() -> None:
    assert check(Node.of({"title": "x", "leaf": Leaf(7)}, "call"), Root).leaf == Leaf(7)
    assert check(Node.of({"title": "x", "hidden": (1, 2)}, "call"), Root).hidden == (1, 2)


def mappings(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [path] + [p for key, item in value.items() for p in mappings(item, (*path, key))]
    return (
        [p for i, item in enumerate(value) for p in mappings(item, (*path, i))]
        if isinstance(value, list)
        else []
    )


PLACES = [path for path in mappings(parse(FULL, "f").plain()) if not {"weights", "free"} & set(path)]


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(PLACES), st.text("abcdefghijklmnopqrstuvwxyz_", min_size=12, max_size=20))
def test_an_unknown_key_in_any_place_is_a_mistake(path: tuple[Any, ...], name: str) -> None:
    tree = parse(FULL, "f").plain()
    place = tree
    for step in path:
        place = place[step]
    place[name] = 1
    with pytest.raises(ConfigErrors) as errors:
        check(Node.of(tree, "f"), Root)
    assert any(name in str(mistake) for mistake in errors.value.mistakes)

from __future__ import annotations

import math
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.overrides import assignments, flat, nested, parse_override, suffix, to_text
from zoo.core.mistakes import ConfigErrors

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(string.printable + "é😀")
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:"), inner)
)
trees = st.recursive(
    scalars, lambda inner: st.dictionaries(st.text("abc", min_size=1), inner, min_size=1, max_size=3)
)


@given(values)
def test_what_is_written_reads_back(value: object) -> None:
    key, found = parse_override(f"k={to_text(value)}")
    assert key == "k" and found == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e9, "1e9"),
        (1e-3, "0.001"),
        (1e-5, "1e-5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (16, "16"),
        (True, "true"),
        (None, "null"),
        ("adam", "adam"),
        ("1", '"1"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ([64, 32], "[64,32]"),
    ],
)
def test_text_is_short(value: object, text: str) -> None:
    assert to_text(value) == text


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(st.text("abc", min_size=1), trees, min_size=1))
def test_nested_is_the_inverse_of_flat(tree: dict[str, object]) -> None:
    assert nested(flat(tree)).plain() == tree
    assert nested(map(parse_override, assignments(tree))).plain() == tree


def test_the_last_override_wins_and_floats_need_no_dot() -> None:
    tree = nested([("fit.lr", 1), ("fit.epochs", 2), ("fit.lr", 3)])
    assert tree.plain() == {"fit": {"lr": 3, "epochs": 2}}
    assert parse_override("a.b=1e9") == ("a.b", 1e9) and math.isclose(parse_override("a=1e-3")[1], 0.001)
    assert parse_override("a=b=c") == ("a", "b=c")


def test_the_suffix_of_a_changed_entry() -> None:
    assert suffix({"params": {"embed_dim": 16}, "fit": {"lr": 1e9}}) == "+fit.lr=1e9,params.embed_dim=16"
    assert suffix({}) == suffix({"params": {}}) == ""


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("seeds", "command line: seeds: expected key=value with a dotted key"),
        ("=3", "command line: =3: expected key=value with a dotted key"),
        ("a..b=3", "command line: a..b=3: expected key=value with a dotted key"),
        ("a=[1", "command line: a: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("a={b: 1, b: 2}", "command line: a: duplicate key (first on line 1)"),
    ],
)
def test_an_override_that_cannot_be_read(text: str, mistake: str) -> None:
    with pytest.raises(ConfigErrors) as errors:
        parse_override(text)
    assert str(errors.value) == mistake

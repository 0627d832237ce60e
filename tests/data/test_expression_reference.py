"""Expressions against a reference: trees of tuples, written out as text and walked row by row here."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.core.errors import UserError
from zoo.data.expression import parse_expression

Row = dict[str, Any]

ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
COMPARE = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NUMBERS, TEXTS, FLAGS = ("a", "b", "x"), ("s", "t"), ("f",)


def write(tree: tuple[Any, ...]) -> str:
    match tree:
        case ("literal", bool(value)):
            return str(value).lower()
        case ("literal", value):
            return repr(value)
        case ("column", name):
            return name
        case ("minus" | "not" as word, inner):
            return f"({'-' if word == 'minus' else 'not '}{write(inner)})"
        case ("null", inner, word):
            return f"({write(inner)} {word})"
        case ("in", inner, word, values):
            return f"({write(inner)} {word} {values})"
        case ("chain", first, *rest):
            return f"({write(first)} " + " ".join(f"{op} {write(inner)}" for op, inner in rest) + ")"
        case (op, left, right):
            return f"({write(left)} {op} {write(right)})"
    raise AssertionError(tree)


def number(tree: tuple[Any, ...], row: Row) -> Any:
    match tree:
        case ("literal", value):
            return value
        case ("column", name):
            value = row[name]
            return None if value is None or value != value else value
        case ("minus", inner):
            value = number(inner, row)
            return None if value is None else -float(value)
        case (op, left, right):
            values = number(left, row), number(right, row)
            if None in values or (op == "/" and values[1] == 0):
                return None
            value = float(ARITHMETIC[op](*map(float, values)))
            return value if math.isfinite(value) else None
    raise AssertionError(tree)


def holds(tree: tuple[Any, ...], row: Row) -> bool:
    match tree:
        case ("literal", value):
            return bool(value)
        case ("column", name):
            return row[name] is True
        case ("not", inner):
            return not holds(inner, row)
        case ("null", inner, word):
            return (number(inner, row) is None) == (word == "is null")
        case ("in", inner, word, values):
            value = number(inner, row)
            return value is not None and (value in values) == (word == "in")
        case ("chain", first, *rest):
            values = [number(inner, row) for inner in (first, *(inner for _, inner in rest))]
            return all(
                None not in (one, two) and COMPARE[op](one, two)
                for one, two, (op, _) in zip(values, values[1:], rest, strict=False)
            )
        case ("and", left, right):
            return holds(left, row) and holds(right, row)
        case ("or", left, right):
            return holds(left, row) or holds(right, row)
    raise AssertionError(tree)


def literals(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just("literal"), values)


def columns(names: tuple[str, ...]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just("column"), st.sampled_from(names))


WHOLE = st.integers(-4, 4)
REAL = st.sampled_from([-2.5, -0.0, 0.5, 1.0, 3.25, 1e300])
WORD = st.sampled_from(["", "a", "b", "ab", "é", "it's", 'say "x"', "null"])
POSITIVE = st.integers(0, 4) | st.sampled_from([0.5, 3.25, 1e300])
NUMBER = st.recursive(
    literals(POSITIVE) | columns(NUMBERS),
    lambda inner: st.tuples(st.just("minus"), inner) | st.tuples(st.sampled_from(list("+-*/")), inner, inner),
    max_leaves=5,
)
TEXT = literals(WORD) | columns(TEXTS)


def compared(value: st.SearchStrategy[Any], listed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    link = st.tuples(st.sampled_from(list(COMPARE)), value)
    chain = st.lists(link, min_size=1, max_size=3).flatmap(
        lambda links: value.map(lambda first: ("chain", first, *links))
    )
    words, values = st.sampled_from(["in", "not in"]), st.lists(listed, min_size=1, max_size=4)
    null = st.tuples(st.just("null"), value, st.sampled_from(["is null", "is not null"]))
    return chain | st.tuples(st.just("in"), value, words, values) | null


CONDITION = st.recursive(
    compared(NUMBER, WHOLE | REAL) | compared(TEXT, WORD) | columns(FLAGS) | literals(st.booleans()),
    lambda inner: st.tuples(st.just("not"), inner) | st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    max_leaves=6,
)


def nullable(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "a": nullable(WHOLE),
            "b": nullable(WHOLE),
            "x": nullable(REAL | st.just(math.nan)),
            "s": nullable(WORD),
            "t": nullable(WORD),
            "f": nullable(st.booleans()),
        }
    ),
    max_size=6,
)
TYPES = {
    "a": pa.int64(),
    "b": pa.int32(),
    "x": pa.float64(),
    "s": pa.string(),
    "t": pa.string(),
    "f": pa.bool_(),
}


def table_of(rows: list[Row]) -> pa.Table:
    table = pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in TYPES.items()})
    return table.set_column(4, "t", table["t"].dictionary_encode())


@settings(deadline=None, max_examples=120)
@given(CONDITION, ROWS)
def test_a_condition_is_what_a_loop_over_the_rows_says(tree, rows):
    mask = parse_expression(write(tree)).mask(table_of(rows))
    assert mask.to_pylist() == [holds(tree, row) for row in rows]


@settings(deadline=None, max_examples=120)
@given(NUMBER, ROWS)
def test_a_value_is_what_a_loop_over_the_rows_says(tree, rows):
    values = parse_expression(write(tree)).values(table_of(rows)).to_pylist()
    expected = [number(tree, row) for row in rows]
    assert [value is None for value in values] == [value is None for value in expected]
    known = [(one, two) for one, two in zip(values, expected, strict=True) if one is not None]
    np.testing.assert_allclose(*zip(*known, strict=True) if known else ([], []), rtol=1e-12)


@settings(deadline=None, max_examples=120)
@given(st.text(alphabet="ab01 .'()[]+-*/<>=!,andorisul\0é\n{}:", max_size=40))
def test_any_text_is_an_expression_or_one_clear_line(text):
    try:
        parse_expression(text)
    except UserError as error:
        assert len(str(error).splitlines()) == 1

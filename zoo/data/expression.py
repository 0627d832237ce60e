"""Conditions and numbers over the columns of a table, such as `play_ms >= 0.8 * duration_ms`.

The grammar is a small part of Python's, so Python's parser reads it, and nothing is ever run as code:
columns, numbers, 'text', true, false, `+ - * /`, comparisons (chained ones too), `in` and `not in` a list
of values, `and or not`, `x is null`, `x is not null`.

A comparison with null is false, so a condition is never null; arithmetic with null is null, and so is
arithmetic without a finite result, such as a division by zero. Arithmetic is in double precision.
"""

from __future__ import annotations

import ast
import keyword
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.errors import UserError
from zoo.data.grammar import GRAMMAR, Checker, comparisons, constant, shown

MAX_LENGTH = 1000
ROWS = 2**20
"""Rows worked on at a time, so that intermediate columns stay small."""

Value: TypeAlias = Any
"""An Arrow array, or a scalar where no column is involved; numbers are int64 or double, texts are strings."""

_ARITHMETIC = {ast.Add: pc.add, ast.Sub: pc.subtract, ast.Mult: pc.multiply, ast.Div: pc.divide}
_COMPARE = {
    ast.Eq: pc.equal,
    ast.NotEq: pc.not_equal,
    ast.Lt: pc.less,
    ast.LtE: pc.less_equal,
    ast.Gt: pc.greater,
    ast.GtE: pc.greater_equal,
}

_SPELLINGS = {
    r"&&": "write 'and'",
    r"\|\|": "write 'or'",
    r"\b(AND|OR|NOT|IN|IS|NULL)\b": "the words are in lower case: and, or, not, in, is null",
    r"<>": "write '!='",
    r"(?<![=<>!:])=(?!=)": "write '==' for equal",
    r"!(?!=)": "write 'not'",
}
_WORDS = {"and", "or", "not", "in", "is", "True", "False", "None"}


@dataclass(frozen=True)
class Expression:
    """A parsed expression; made by `parse_expression`.

    Attributes:
        text: As it was written.
        columns: The columns it reads.
        numeric: Those of them that must hold numbers, because they are compared or combined with numbers,
            ordered, or stand for a value or a condition on their own.
    """

    text: str
    columns: frozenset[str]
    numeric: frozenset[str]
    _root: ast.expr = field(repr=False, compare=False)

    def mask(self, table: pa.Table) -> pa.BooleanArray:
        """Where the condition holds; a column of 0 and 1 is a condition as well.

        Raises:
            UserError: This is no condition, a column is unknown, or its type does not fit.
        """
        Checker(self.text, table).condition(self._root)
        return _by_batch(table, pa.bool_(), lambda batch: _Rows(self.text, batch).condition(self._root))

    def values(self, table: pa.Table) -> pa.DoubleArray:
        """The number of each row, null where there is none.

        Raises:
            UserError: This is no number, a column is unknown, or its type does not fit.
        """
        Checker(self.text, table).number(self._root)
        return _by_batch(table, pa.float64(), lambda batch: _Rows(self.text, batch).double(self._root))


def parse_expression(text: str) -> Expression:
    """Reads an expression.

    Raises:
        UserError: One line with the text, the place in it and what was expected.
    """
    text = text.strip()
    root = _parse(text)
    checker = Checker(text)
    checker.root(root)
    return Expression(text, frozenset(checker.columns), checker.numeric(), root)


def _parse(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise UserError(f"{shown(text)}: {len(text):,} characters, expected at most {MAX_LENGTH:,}")
    try:
        with warnings.catch_warnings():  # Python's advice on doubtful syntax is not for our users
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        place = f"character {error.offset}: " if error.offset and error.lineno == 1 else ""
        raise UserError(f"{shown(text)}: {place}not understood, {_spelling(text)}") from None
    except (ValueError, MemoryError, RecursionError):
        raise UserError(f"{shown(text)}: not understood, {GRAMMAR}") from None


def _spelling(text: str) -> str:
    for pattern, hint in _SPELLINGS.items():
        if re.search(pattern, text):
            return hint
    for word in re.findall(r"\w+", text):
        if keyword.iskeyword(word) and word not in _WORDS:
            return f"{word!r} cannot be the name of a column here, give it another one under columns"
    return GRAMMAR


def _by_batch(table: pa.Table, kind: pa.DataType, work: Callable[[pa.RecordBatch], Value]) -> pa.Array:
    parts = [pa.array([], kind)]
    for batch in table.to_batches(max_chunksize=ROWS):
        result = work(batch)
        parts.append(pa.repeat(result, batch.num_rows) if isinstance(result, pa.Scalar) else result)
    return pa.concat_arrays(parts)


class _Rows:
    """Evaluates checked nodes on the rows of one batch."""

    def __init__(self, text: str, batch: pa.RecordBatch) -> None:
        self.text, self.batch = text, batch

    def condition(self, node: ast.expr) -> Value:
        match node:
            case ast.UnaryOp():
                return pc.invert(self.condition(node.operand))
            case ast.BoolOp():
                combine = pc.and_ if isinstance(node.op, ast.And) else pc.or_
                return reduce(combine, map(self.condition, node.values))
            case ast.Compare():
                return reduce(pc.and_, (self.compare(*pair) for pair in comparisons(node)))
        return self.flag(node)

    def flag(self, node: ast.expr) -> Value:
        value = self.value(node)
        good = pc.or_(pc.is_null(value), _among(value, pa.array([0, 1])))
        if isinstance(value, pa.Array) and (row := pc.index(good, False).as_py()) >= 0:
            what = f"column {ast.unparse(node)} is used as a condition and holds {value[row].as_py()}"
            raise UserError(f"{shown(self.text)}: {what}, expected 0 or 1")
        return pc.fill_null(pc.equal(value, 1), False)

    def compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Value:
        value = self.value(left)
        match op:
            case ast.Is():
                return pc.is_null(value)
            case ast.IsNot():
                return pc.is_valid(value)
            case ast.In():
                return _is_in(value, right)
            case ast.NotIn():
                return pc.and_not(pc.is_valid(value), _is_in(value, right))
        one, two = _alike(value, self.value(right))
        return pc.fill_null(_COMPARE[type(op)](one, two), False)

    def value(self, node: ast.expr) -> Value:
        literal = constant(node)
        if literal is not None:
            return pa.scalar(literal)
        match node:
            case ast.Name():
                return _plain(self.batch.column(node.id))
            case ast.UnaryOp():
                return pc.negate(self.double(node.operand))
            case ast.BinOp():
                return _finite(_ARITHMETIC[type(node.op)](self.double(node.left), self.double(node.right)))
        raise AssertionError(f"not a value: {ast.dump(node)}")  # the checker lets none through

    def double(self, node: ast.expr) -> Value:
        return _double(self.value(node))


def _plain(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if pa.types.is_boolean(kind) or (pa.types.is_integer(kind) and kind != pa.uint64()):
        return column.cast(pa.int64())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        double = _double(column)
        return pc.if_else(pc.is_nan(double), None, double)
    return column.cast(pa.string()) if pa.types.is_large_string(kind) else column


def _double(value: Value) -> Value:
    return pc.cast(value, pa.float64(), safe=False)


def _finite(value: Value) -> Value:
    return pc.if_else(pc.is_finite(value), value, pa.scalar(None, pa.float64()))


def _alike(one: Value, two: Value) -> tuple[Value, Value]:
    # Arrow refuses to compare an integer that no double can hold with a double; here it is rounded.
    return (one, two) if one.type == two.type or _is_null(one, two) else (_double(one), _double(two))


def _is_null(*values: Value) -> bool:
    return any(pa.types.is_null(value.type) for value in values)


def _is_in(value: Value, listed: ast.expr) -> Value:
    values = [constant(element) for element in listed.elts]  # type: ignore[attr-defined]
    if any(isinstance(value, float) for value in values):
        values = [float(value) if isinstance(value, int) else value for value in values]
    return _among(value, pa.array(values))


def _among(value: Value, literals: pa.Array) -> Value:
    if _is_null(value):
        return pc.is_valid(value)
    value, literals = _alike(value, literals)
    if pa.types.is_floating(value.type):  # -0.0 + 0.0 is 0.0: Arrow looks up by bits, where the two differ
        value, literals = pc.add(value, 0.0), pc.add(literals, 0.0)
    return pc.fill_null(pc.is_in(value, value_set=literals), False)

"""What an expression of `zoo.data.expression` is on the rows of a table, once it has been checked."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import reduce
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.errors import UserError
from zoo.data.grammar import comparisons, constant, shown

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


def conditions(text: str, root: ast.expr, table: pa.Table) -> pa.BooleanArray:
    """`(E,)` where a checked condition holds; never null.

    Raises:
        UserError: A column that stands for a condition holds something else than 0 and 1.
    """
    return _by_batch(table, pa.bool_(), lambda batch: _Rows(text, batch).condition(root))


def numbers(text: str, root: ast.expr, table: pa.Table) -> pa.DoubleArray:
    """`(E,)` the number of each row, null where there is none."""
    return _by_batch(table, pa.float64(), lambda batch: _Rows(text, batch).double(root))


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

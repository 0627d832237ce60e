"""The grammar of `zoo.data.expression`: what may be written, and which columns must be numbers or text."""

from __future__ import annotations

import ast
import math
import reprlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias

from zoo.core.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

MAX_DEPTH = 100

Kind: TypeAlias = Literal["number", "text", "condition", "flag", "null", "any", "other"]
"""What a node is; `any` is a column of unknown type, `other` a column that nothing can be compared with."""

ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)

_NAMES = {
    "number": "a number",
    "text": "text",
    "condition": "a condition",
    "flag": "true or false",
    "null": "null",
}
_HINTS: dict[type, str] = {
    ast.Call: "a call is not part of the grammar",
    ast.Attribute: "a dot is not part of the grammar",
    ast.BitAnd: "write 'and' where both must hold",
    ast.BitOr: "write 'or' where one must hold",
    ast.Invert: "write 'not'",
    ast.List: "a list is understood after 'in' only",
    ast.Tuple: "a list is understood after 'in' only",
}
GRAMMAR = "expected columns, numbers, 'text', + - * /, comparisons, in, and, or, not, is null"


def shown(text: str) -> str:
    """The text as a message quotes it, on one line and not too long."""
    return repr(text) if len(text) <= 80 else repr(f"{text[:60]} … {text[-15:]}")


def comparisons(node: ast.Compare) -> Iterator[tuple[ast.expr, ast.cmpop, ast.expr]]:
    """The pairs of a chain such as `0 < x < 9`."""
    return zip([node.left, *node.comparators[:-1]], node.ops, node.comparators, strict=True)


def constant(node: ast.expr) -> int | float | str | None:
    """The value of a literal, with true as 1 and false as 0; None for what is none."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return int(value) if isinstance(value, bool) else value
        case ast.Name(id="true" | "false" as name):
            return int(name == "true")
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
    return None


class Checker:
    """Tells what each node is: with a table by its columns, without one by how they are used.

    Attributes:
        columns: The columns seen.
    """

    def __init__(self, text: str, table: pa.Table | None = None) -> None:
        self.text, self.table, self.depth = text, table, 0
        self.columns: set[str] = set()
        self._used: dict[Kind, set[str]] = {"number": set(), "text": set()}
        self._equal: list[set[str]] = []
        self._ordered: set[str] = set()

    def fail(self, node: ast.expr, message: str) -> NoReturn:
        """Ends with a mistake at the place of a node."""
        before = self.text.encode()[: node.col_offset].decode()
        raise UserError(f"{shown(self.text)}: character {len(before) + 1}: {message}")

    def kind(self, node: ast.expr) -> Kind:
        """What a node is, after checking all below it."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UserError(f"{shown(self.text)}: nested more than {MAX_DEPTH} deep")
        kind = self._leaf(node) or self._compound(node)
        self.depth -= 1
        return kind

    def root(self, node: ast.expr) -> None:
        """Checks a whole expression: a condition, a number, or a column that will be either."""
        kind = self.kind(node)
        if kind == "any":
            self._expect(node, "number")
        elif kind not in ("condition", "flag", "number"):
            self.fail(node, f"expected a condition or a number, found {_NAMES[kind]}")

    def number(self, node: ast.expr) -> None:
        """Checks that a node is a number."""
        kind = self.kind(node)
        if kind == "any":
            self._expect(node, "number")
        elif kind != "number":
            self.fail(node, f"{self._described(node, kind)}, expected a number")

    def condition(self, node: ast.expr) -> None:
        """Checks that a node is a condition; a column of numbers may be one."""
        kind = self.kind(node)
        if kind == "any":
            self._expect(node, "number")
        elif kind not in ("condition", "flag") and not (kind == "number" and isinstance(node, ast.Name)):
            self.fail(node, f"{self._described(node, kind)}, expected a condition such as x > 1")

    def numeric(self) -> frozenset[str]:
        """The columns that must hold numbers, also because they equal one that does.

        Raises:
            UserError: A column would have to hold both numbers and text.
        """
        text = self._equals(self._used["text"])
        # What is ordered is a number, unless it is known to be text: '9' comes after '10'.
        number = self._equals(self._used["number"] | (self._ordered - text))
        if both := sorted(number & text):
            raise UserError(
                f"{shown(self.text)}: column {both[0]} is used as a number here and as text there"
            )
        return frozenset(number)

    def _equals(self, names: set[str]) -> set[str]:
        while grown := set().union(*(pair for pair in self._equal if pair & names)) - names:
            names = names | grown
        return names

    def _leaf(self, node: ast.expr) -> Kind | None:
        match node:
            case ast.Constant(value=None) | ast.Name(id="null"):
                return "null"
            case ast.Constant(value=bool()) | ast.Name(id="true" | "false"):
                return "flag"
            case ast.Constant(value=int() | float() as value):
                if value == math.inf or (isinstance(value, int) and value >= 2**63):
                    self.fail(node, "the number is out of range")
                return "number"
            case ast.Constant(value=str()):
                return "text"
            case ast.Name(id=name):
                self.columns.add(name)
                return "any" if self.table is None else self._column(name, self.table)
        return None

    def _column(self, name: str, table: pa.Table) -> Kind:
        names = table.column_names
        if name not in names:
            some = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
            near = did_you_mean(name, names)
            raise UserError(f"{shown(self.text)}: no column {name!r}{near}, the columns are {some}")
        return _kind_of(table.schema.field(name).type)

    def _compound(self, node: ast.expr) -> Kind:
        match node:
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
                self.number(node.left)
                self.number(node.right)
                return "number"
            case ast.UnaryOp(op=ast.USub()):
                self.number(node.operand)
                return "number"
            case ast.UnaryOp(op=ast.Not()):
                self.condition(node.operand)
            case ast.BoolOp():
                for value in node.values:
                    self.condition(value)
            case ast.Compare():
                for left, op, right in comparisons(node):
                    self._compare(left, op, right)
            case _:
                self.fail(node, _HINTS.get(type(getattr(node, "op", node)), GRAMMAR))
        return "condition"

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> None:
        one = self.kind(left)
        if isinstance(op, ast.Is | ast.IsNot):
            if one in ("null", "condition", "flag") or self.kind(right) != "null":
                self.fail(left, "expected a column, then 'is null' or 'is not null'")
            return
        two = self._listed(right) if isinstance(op, ast.In | ast.NotIn) else self.kind(right)
        if "null" in (one, two):
            self.fail(left, "nothing equals null, write 'is null' or 'is not null'")
        for node, kind in ((left, one), (right, two)):
            if kind in ("condition", "other"):
                self.fail(node, f"{self._described(node, kind)}, expected a number or text to compare")
        self._agree((left, _plain(one)), (right, _plain(two)), isinstance(op, ORDER))

    def _agree(self, left: tuple[ast.expr, Kind], right: tuple[ast.expr, Kind], ordered: bool) -> None:
        unknown = [side for side in (left, right) if side[1] == "any"]
        if len(unknown) == 2:
            names = {node.id for node, _ in unknown if isinstance(node, ast.Name)}
            self._equal.append(names)
            self._ordered |= names if ordered else set()
        elif unknown:
            self._expect(unknown[0][0], right[1] if unknown[0] is left else left[1])
        elif left[1] != right[1]:
            one, two = (left, right) if isinstance(left[0], ast.Name) else (right, left)
            self.fail(one[0], f"{self._described(*one)}, compared with {self._described(*two)}")

    def _listed(self, node: ast.expr) -> Kind:
        elements = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        for element in elements:
            self._leaf(element.operand if isinstance(element, ast.UnaryOp) else element)
        values = [constant(element) for element in elements]
        if values and all(isinstance(value, str) for value in values):
            return "text"
        if values and not any(value is None or isinstance(value, str) for value in values):
            return "number"
        self.fail(node, "expected a list of numbers or of texts after 'in', such as [1, 2] or ['a', 'b']")

    def _expect(self, node: ast.expr, kind: Kind) -> None:
        # Nothing but a column can be of any kind.
        if isinstance(node, ast.Name):
            self._used[kind].add(node.id)

    def _described(self, node: ast.expr, kind: Kind) -> str:
        if self.table is None or kind == "flag" or not isinstance(node, ast.Name):
            return _NAMES[kind]
        import pyarrow.compute as pc

        column = self.table[node.id]
        what = str(column.type) if kind == "other" else _NAMES[kind]
        row = pc.index(pc.is_valid(column), True).as_py()
        first = f" (first value {reprlib.repr(column[row].as_py())})" if row >= 0 else ""
        return f"column {node.id} is {what}{first}"


def _plain(kind: Kind) -> Kind:
    return "number" if kind == "flag" else kind


def _kind_of(kind: pa.DataType) -> Kind:
    import pyarrow as pa  # only here is there a table: a config is checked without Arrow

    if pa.types.is_dictionary(kind):
        return _kind_of(kind.value_type)
    whole = pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    if whole or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    return "any" if pa.types.is_null(kind) else "other"

"""Columns as files hold them, strings mostly, to text, numbers and lists, by whole columns."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NULLS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "\\N")
"""Words for no value where a number, a time or an id is expected; spaces around them do not matter there."""

NOTHING = ("",)
"""What stands for no value in text, where nobody says more: a category may well be called NA."""

TEXT = pa.dictionary(pa.int32(), pa.string())
LIST = pa.list_(pa.string())
JSON = "json"

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_FLAG = r"^(?i:true|false)$"


class WrongType(Exception):
    """A column's type cannot be read as what is wanted, which the message names."""


@dataclass(frozen=True)
class Cells:
    """A column read.

    Attributes:
        values: Null where a cell is empty or unreadable.
        bad: Where a cell is unreadable; None for nowhere.
        rest: Of times, the nanoseconds past the second; None where there are none.
    """

    values: pa.Array
    bad: pa.BooleanArray | None = None
    rest: pa.Array | None = None

    def filter(self, good: pa.BooleanArray) -> Cells:
        """The good rows only."""
        return Cells(self.values.filter(good), None, None if self.rest is None else self.rest.filter(good))


def to_text(column: pa.Array, empty: Collection[str] = NOTHING) -> Cells:
    """Text of any column but lists; whole numbers have no decimals, so that 5.0 and 5 are the same id.

    Args:
        column: Of any type.
        empty: Cells that stand for no value.
    """
    if column.type == TEXT and not pc.any(pc.is_in(column.dictionary, value_set=_words(empty))).as_py():
        return Cells(column)
    column = decoded(column)
    if pa.types.is_floating(column.type):
        numbers = to_number(column).values
        whole = as_whole(numbers)
        column = numbers if whole is None else whole
    try:
        text = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise WrongType("text") from None
    return Cells(without(text, empty).dictionary_encode())


def to_number(column: pa.Array, empty: Collection[str] = ()) -> Cells:
    """Whole numbers where all of the column are written so, doubles otherwise; true is 1 and false 0.

    Args:
        column: Of any type.
        empty: Cells that stand for no value besides `NULLS`.
    """
    column = decoded(column)
    kind = column.type
    if is_text(kind):
        return _finite(*_parse_numbers(column, empty))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _finite(column.cast(pa.float64()), None)
    if kind == pa.uint64():
        return Cells(pc.cast(column, pa.float64(), safe=False))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return Cells(column.cast(pa.int64()))
    raise WrongType("numbers")


def to_lists(column: pa.Array, separator: str, empty: Collection[str] = NOTHING) -> Cells:
    """Lists of texts without empty ones, from cells with a separator, JSON, or a column of lists.

    Args:
        column: Of text or lists.
        separator: Of the values of a cell.
        empty: Cells that stand for no value.
    """
    column = decoded(column)
    if is_list(column.type):
        return Cells(_compact(column.cast(LIST)))
    if not is_text(column.type) and not pa.types.is_null(column.type):
        column = to_text(column).values.dictionary_decode()
    column = without(pc.utf8_trim_whitespace(column.cast(pa.string())), empty)
    if separator == JSON:
        found = by_hand(column, parse_list, LIST)
        return Cells(_compact(found.values), found.bad)
    if not separator:
        raise WrongType('lists: say what separates their values, such as lists: {column: "|"}')
    return Cells(_compact(pc.split_pattern(column, separator)))


def by_hand(column: pa.StringArray, parse: Callable[[str], Any], kind: pa.DataType) -> Cells:
    """Every distinct cell by a function that raises ValueError; for what Arrow has no words for."""
    encoded = column.dictionary_encode()
    values, bad = [], []
    for text in encoded.dictionary.to_pylist():
        try:
            values.append(parse(text))
        except ValueError:
            values.append(None)
        bad.append(values[-1] is None)
    found = pa.array(values, kind).take(encoded.indices)
    wrong = pc.fill_null(pa.array(bad, pa.bool_()).take(encoded.indices), False)
    return Cells(found, wrong)


def without(column: pa.StringArray, words: Collection[str]) -> pa.StringArray:
    """The column with null where a cell is one of some words."""
    empty = pc.is_in(column, value_set=_words(words))
    return pc.if_else(empty, pa.scalar(None, pa.string()), column) if pc.any(empty).as_py() else column


def _words(words: Collection[str]) -> pa.StringArray:
    return pa.array(list(words), pa.string())


def first_cast(column: pa.Array, *kinds: pa.DataType) -> pa.Array | None:
    """The column as the first of some types that all of it can be, None if there is none."""
    for kind in kinds:
        try:
            column.slice(0, 100).cast(kind)  # Arrow tries all of a column before it fails, at some cost
            return column.cast(kind)
        except pa.ArrowInvalid:
            pass
    return None


def as_whole(numbers: pa.Array | pa.ChunkedArray) -> Any:
    """Doubles as int64 if all of them are whole and exact, None otherwise."""
    exact = pc.less(pc.abs(numbers), 2.0**53)
    whole = pc.and_(exact, pc.equal(pc.floor(numbers), numbers))
    return numbers.cast(pa.int64()) if pc.all(whole).as_py() is not False else None


def parse_list(text: str) -> list[str]:
    """The values of a cell such as `["a", 1]`, or as Python writes a list.

    Raises:
        ValueError: It is none.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text)  # what Python's str() makes of a list
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            raise ValueError(text) from None
    if not isinstance(found, list | tuple):
        raise ValueError(text)
    return ["" if item is None else str(item) for item in found]


def is_text(kind: pa.DataType) -> bool:
    """Whether a type holds strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_list(kind: pa.DataType) -> bool:
    """Whether a type holds several values in a cell."""
    fixed = pa.types.is_fixed_size_list(kind)
    return bool(fixed or pa.types.is_list(kind) or pa.types.is_large_list(kind))


def decoded(column: pa.Array) -> pa.Array:
    """The column without a dictionary."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _parse_numbers(column: pa.Array, empty: Collection[str]) -> tuple[pa.Array, pa.BooleanArray | None]:
    if words := set(empty) - set(NULLS):  # such as -1, which would be a number
        column = without(pc.utf8_trim_whitespace(column.cast(pa.string())), words)
    if (numbers := _cast_numbers(column)) is not None:
        return numbers, None
    column = without(pc.utf8_trim_whitespace(column.cast(pa.string())), NULLS)
    if pc.any(flags := pc.match_substring_regex(column, _FLAG)).as_py():
        one = pc.if_else(pc.equal(pc.utf8_lower(column), "true"), "1", "0")
        column = pc.if_else(flags, one, column)
    good = pc.match_substring_regex(column, _NUMBER)
    unsigned = pc.utf8_ltrim(pc.if_else(good, column, pa.scalar(None, pa.string())), "+")
    return _cast_numbers(unsigned), pc.invert(pc.fill_null(good, True))


def _cast_numbers(column: pa.Array) -> pa.Array | None:
    return first_cast(column, pa.int64(), pa.float64())


def _finite(numbers: pa.Array, bad: pa.BooleanArray | None) -> Cells:
    if not pa.types.is_floating(numbers.type):
        return Cells(numbers, bad)
    finite = pc.is_finite(numbers)
    if pc.all(finite).as_py() is not False:
        return Cells(numbers, bad)
    endless = pc.fill_null(pc.is_inf(numbers), False)
    return Cells(pc.if_else(finite, numbers, None), endless if bad is None else pc.or_(bad, endless))


def _compact(lists: pa.ListArray) -> pa.ListArray:
    """Lists without null and empty values, and without spaces around the others."""
    values = pc.utf8_trim_whitespace(pc.list_flatten(lists))
    keep = pc.fill_null(pc.not_equal(values, ""), False)
    kept = np.bincount(pc.list_parent_indices(lists).filter(keep).to_numpy(), minlength=len(lists))
    ends = np.cumsum(np.append(0, kept)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), values.filter(keep), mask=lists.is_null())

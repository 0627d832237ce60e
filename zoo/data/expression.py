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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo.core.errors import UserError
from zoo.data.grammar import GRAMMAR, Checker, shown

if TYPE_CHECKING:
    import pyarrow as pa

MAX_LENGTH = 1000

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
        from zoo.data.evaluation import conditions  # reading a config should not cost the import of Arrow

        Checker(self.text, table).condition(self._root)
        return conditions(self.text, self._root, table)

    def values(self, table: pa.Table) -> pa.DoubleArray:
        """The number of each row, null where there is none.

        Raises:
            UserError: This is no number, a column is unknown, or its type does not fit.
        """
        from zoo.data.evaluation import numbers

        Checker(self.text, table).number(self._root)
        return numbers(self.text, self._root, table)


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

"""`zoo.data.expression`: hand-worked answers, and one line for whatever is not in the grammar."""

from __future__ import annotations

import pyarrow as pa
import pytest

from zoo.core.errors import UserError
from zoo.data.expression import parse_expression

TABLE = pa.table(
    {
        "rating": [5, 3, None, 1],
        "price": [1.5, None, float("nan"), 0.0],
        "city": ["Rome", "Oslo", None, ""],
        "genre": pa.array(["a", "b", None, "a"]).dictionary_encode(),
        "clicked": [True, False, None, True],
        "empty": pa.nulls(4),
        "tags": [["a"], [], None, ["b"]],
        "id": pa.array([1, 2**64 - 1, None, 0], pa.uint64()),
        "at": pa.array([0, 1, 2, 3], pa.timestamp("us")),
    }
)
YES, NO = True, False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rating >= 3", [YES, YES, NO, NO]),
        ("not rating >= 3", [NO, NO, YES, YES]),
        ("rating != 3", [YES, NO, NO, YES]),
        ("1 < rating < 5", [NO, YES, NO, NO]),
        ("rating in [1, 5.0]", [YES, NO, NO, YES]),
        ("rating not in (1, -5)", [YES, YES, NO, NO]),
        ("not rating in (1, 5)", [NO, YES, YES, NO]),
        ("city == 'Rome' or city == ''", [YES, NO, NO, YES]),
        ('city in ["Oslo", "Bern"]', [NO, YES, NO, NO]),
        ("city < 'P'", [NO, YES, NO, YES]),
        ("genre == 'a'", [YES, NO, NO, YES]),
        ("genre in ['b']", [NO, YES, NO, NO]),
        ("genre != city", [YES, YES, NO, YES]),
        ("clicked", [YES, NO, NO, YES]),
        ("not clicked", [NO, YES, YES, NO]),
        ("clicked == true and clicked != False", [YES, NO, NO, YES]),
        ("price is null", [NO, YES, YES, NO]),
        ("tags is not null", [YES, YES, NO, YES]),
        ("rating / price is null", [NO, YES, YES, YES]),
        ("rating - 1 == 2 * 2", [YES, NO, NO, NO]),
        ("-rating < -2", [YES, YES, NO, NO]),
        ("empty == 1 or empty in [2] or empty == rating or empty", [NO, NO, NO, NO]),
        ("empty == 'x' or empty in ['x'] or empty == city", [NO, NO, NO, NO]),
        ("empty is null and at is not null", [YES, YES, YES, YES]),
        ("id > 9", [NO, YES, NO, NO]),
        ("true", [YES, YES, YES, YES]),
        ("2 < 1", [NO, NO, NO, NO]),
        ("rating > 2 and (city == 'Oslo' or price > 1)", [YES, YES, NO, NO]),
    ],
)
def test_conditions(text, expected):
    assert parse_expression(text).mask(TABLE).to_pylist() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rating", [5, 3, None, 1]),
        ("rating / 2 + 1", [3.5, 2.5, None, 1.5]),
        ("price", [1.5, None, None, 0]),
        ("1 / price", [1 / 1.5, None, None, None]),
        ("-(rating - price) * 2", [-7, None, None, -2]),
        ("empty + 1", [None] * 4),
        ("clicked", [1, 0, None, 1]),
        ("7", [7, 7, 7, 7]),
    ],
)
def test_values(text, expected):
    values = parse_expression(text).values(TABLE)
    assert values.type == pa.float64()
    assert values.to_pylist() == expected


def test_chunks_and_no_rows_make_no_difference():
    expression = parse_expression("rating >= 3 and city != 'Oslo'")
    chunks = pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1, 0), TABLE.slice(1)])
    assert expression.mask(chunks) == expression.mask(TABLE)
    assert expression.mask(TABLE.slice(0, 0)).to_pylist() == []
    assert parse_expression("rating").values(TABLE.slice(0, 0)) == pa.array([], pa.float64())


def test_large_integers_are_compared_exactly():
    table = pa.table({"id": [2**53, 2**53 + 1]})
    assert parse_expression(f"id == {2**53 + 1}").mask(table).to_pylist() == [False, True]


@pytest.mark.parametrize(
    ("text", "columns", "numeric"),
    [
        ("rating >= 4", "rating", "rating"),
        ("play_ms >= 0.8 * duration_ms", "play_ms duration_ms", "play_ms duration_ms"),
        ("category != 'test' and type in ['a', 'b']", "category type", ""),
        ("a == b and b == c and c > 1 and d == 'x'", "a b c d", "a b c"),
        ("a == b", "a b", ""),
        ("a < b", "a b", "a b"),
        ("a < b and b < 'x'", "a b", ""),
        ("clicked == true or shown", "clicked shown", "clicked shown"),
        ("a in [1] or b is null", "a b", "a"),
        ("rating", "rating", "rating"),
    ],
)
def test_which_columns_are_read_and_which_as_numbers(text, columns, numeric):
    expression = parse_expression(f" {text}\n")
    assert expression.text == text
    assert expression.columns == set(columns.split())
    assert expression.numeric == set(numeric.split())


HOSTILE = [
    "__import__('os')",
    "().__class__.__bases__",
    "a.b",
    "a[0]",
    "a[1:2]",
    "lambda: 1",
    "[x for x in a]",
    "{x: 1 for x in a}",
    "f'{a}'",
    "(a := 1)",
    "10**10**10",
    "a // 2",
    "a % 2",
    "a << 9999999999",
    "a if b else c",
    "await a",
    "yield",
    "*a",
    "{1, 2}",
    "a in {1, 2}",
    "a in b",
    "a in []",
    "a in [1, 'x']",
    "a in [null]",
    "a in [1e999]",
    "1j",
    "b'a' == a",
    "...",
    "a;b",
    "a\n== 1",
    "import os",
    "'a' + 'b'",
    "'text'",
    "null",
    "a == null",
    "a is 3",
    "a is not a",
    "true is null",
    "(a > 1) == (b > 2)",
    "(a > 1) + 1",
    "true + 1",
    "a + 1 and b > 1",
    "1 and 2",
    "a == 'x' and a > 1",
    "a == b and a == 'x' and b == 1",
    "'a' > 3",
    "",
    " ",
    "\0",
    "\ud800 == 1",
    "a == 'x",
    "9" * 900,
    "a == 1e999",
    f"a == {2**63}",
    "(" * 450 + "a" + ")" * 450,
    "-" * 999 + "a",
    "not " * 200 + "a",
    "+".join("a" * 300),
    "a == 1 or " * 10_000 + "a",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_nothing_else_is_understood(text):
    with pytest.raises(UserError) as error:
        parse_expression(text)
    message = str(error.value)
    assert len(message.splitlines()) == 1 and len(message) < 300


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rating = 4", "'rating = 4': character 8: not understood, write '==' for equal"),
        ("a > 1 && b", "'a > 1 && b': character 8: not understood, write 'and'"),
        ("a > 1 AND b", "the words are in lower case: and, or, not, in, is null"),
        ("a <> 1", "write '!='"),
        ("a > 1 & b > 1", "character 5: write 'and' where both must hold"),
        ("class == 1", "'class' cannot be the name of a column here, give it another one under columns"),
        ("ü == len(x)", "'ü == len(x)': character 6: a call is not part of the grammar"),
        ("a == null", "'a == null': character 1: nothing equals null, write 'is null' or 'is not null'"),
        ("a == [1]", "character 6: a list is understood after 'in' only"),
        ("a == 'x' or a == 1", "column a is used as a number here and as text there"),
    ],
)
def test_the_message_tells_the_place_and_what_to_write(text, message):
    with pytest.raises(UserError) as error:
        parse_expression(text)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "city > 3",
            "'city > 3': character 1: column city is text (first value 'Rome'), compared with a number",
        ),
        ("3 < city", "column city is text (first value 'Rome'), compared with a number"),
        ("genre in [1, 2]", "column genre is text (first value 'a'), compared with a number"),
        ("rating == 'x'", "column rating is a number (first value 5), compared with text"),
        (
            "rating == city",
            "column rating is a number (first value 5), compared with column city is text (first value",
        ),
        ("city", "column city is text (first value 'Rome'), expected a condition"),
        ("tags == 'a'", "column tags is list<item: string> (first value ['a']), expected a number or text"),
        ("at > 3", "column at is timestamp[us]"),
        ("rating", "column rating is used as a condition and holds 5, expected 0 or 1"),
        ("ratign > 3", "no column 'ratign' (did you mean 'rating'?), the columns are rating, price"),
        ("rating + 1", "a number, expected a condition"),
    ],
)
def test_a_condition_that_does_not_fit_the_table(text, message):
    with pytest.raises(UserError) as error:
        parse_expression(text).mask(TABLE)
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["city", "city + 1", "rating > 3", "tags", "nothing", "true"])
def test_a_value_that_does_not_fit_the_table(text):
    with pytest.raises(UserError):
        parse_expression(text).values(TABLE)

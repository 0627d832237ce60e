"""`Schema` against lists of features, and its JSON."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.core.errors import UserError
from zoo.core.schema import REQUEST_ROLES, Feature, Kind, Role, Schema, Task

FEATURE = st.builds(
    Feature,
    name=st.text('ab:é"', min_size=1, max_size=6),
    role=st.sampled_from(get_args(Role)),
    kind=st.sampled_from(get_args(Kind)),
    vocab=st.integers(0, 9),
    length=st.integers(0, 9),
    of=st.text("ab:é", max_size=3),
    mean=st.floats(-1e6, 1e6),
    std=st.floats(1e-6, 1e6),
)
SCHEMA = Schema(
    (
        Feature("user_id", "user_id", "categorical", 4),
        Feature("history:watch", "history", "sequence", 6, 3, "watch"),
        Feature("history:like", "history", "sequence", 6, 3, "like"),
        Feature("item_id", "item_id", "categorical", 6),
        Feature("genres", "item", "multi", 5, 2),
    ),
    (Task("watch"), Task("like", "watch")),
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(FEATURE, max_size=5),
    st.lists(st.builds(Task, st.text("ab:é", max_size=3), st.text("ab:é", max_size=3)), max_size=2),
)
def test_json_holds_all_of_it(features: list[Feature], tasks: list[Task]) -> None:
    schema = Schema(tuple(features), tuple(tasks))
    assert Schema.from_json(schema.to_json()) == schema


@settings(max_examples=40, deadline=None)
@given(st.lists(FEATURE, max_size=6), st.sets(st.sampled_from(get_args(Role))))
def test_having_filters_in_order(features: list[Feature], roles: set[Role]) -> None:
    schema = Schema(tuple(features))
    assert list(schema) == features
    assert list(schema.having(*roles)) == [feature for feature in features if feature.role in roles]
    assert all(feature.request_level == (feature.role in REQUEST_ROLES) for feature in schema)
    assert all(feature.name in schema for feature in features) and "no such feature" not in schema


def test_names_and_sizes() -> None:
    assert SCHEMA["genres"].length == 2 and SCHEMA.n_items == 5
    assert SCHEMA.history("like").name == "history:like"
    more = SCHEMA.extended(Feature("x", "column", "numeric"))
    assert [f.name for f in more][-2:] == ["genres", "x"] and more.tasks == SCHEMA.tasks
    left = more.leaving_out(["genres", "user_id"])
    assert [f.name for f in left] == [
        "history:watch",
        "history:like",
        "item_id",
        "x",
    ] and left.tasks == more.tasks


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: SCHEMA["genre"], r"the schema has no feature 'genre' \(did you mean 'genres'\?\)"),
        (
            lambda: SCHEMA.leaving_out(["item"]),
            r"the schema has no feature 'item' \(did you mean 'item_id'\?\)",
        ),
        (
            lambda: SCHEMA.history("wach"),
            r"the dataset has no history of behaviour 'wach' \(did you mean 'watch'\?\); it has like, watch",
        ),
        (lambda: Schema(()).history("watch"), "the dataset has no history of behaviour 'watch'; it has none"),
        (
            lambda: Feature("x", "itme", "numeric"),
            r"feature 'x': unknown role 'itme' \(did you mean 'item'\?\)",
        ),
        (
            lambda: Feature("x", "item", "nummeric"),
            r"feature 'x': unknown kind 'nummeric' \(did you mean 'numeric'\?\)",
        ),
    ],
)
def test_an_unknown_name_says_the_nearest(ask: object, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}$"):
        ask()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "null",
        '{"features": []}',
        '{"features": [3], "tasks": []}',
        '{"features": [{"nam": 1}], "tasks": []}',
    ],
)
def test_what_is_no_schema_is_one_line(text: str) -> None:
    with pytest.raises(UserError, match=r"^schema.json: not a schema \(.*\)$"):
        Schema.from_json(text)
    with pytest.raises(UserError, match="unknown role"):
        raw = json.loads(SCHEMA.to_json())
        raw["features"][0]["role"] = ["user"]
        Schema.from_json(json.dumps(raw))

"""Raw values to ids, against dictionaries and numpy."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import DAY, ROLES, START, world
from zoo.core.errors import UserError
from zoo.data.encode import Encoder
from zoo.data.roles import FeatureConfig, SchemaConfig

W = world(3)
ENCODER = W.encoder(START + 10 * DAY)


@given(st.integers(0, 30), st.integers(0, 20))
@settings(max_examples=15, deadline=None)
def test_json_holds_all_of_it(seed: int, steps: int) -> None:
    encoder = world(seed).encoder(START + steps * 2 * DAY)
    assert Encoder.from_json(encoder.to_json()) == encoder


def test_ids_start_at_1_and_0_means_unknown() -> None:
    assert ENCODER.items == tuple(sorted(W.items))
    assert ENCODER.ids("item_id", sorted(W.items)).tolist() == list(range(1, 10))
    assert ENCODER.ids("item_id", ["nothing", "", None, 3]).tolist() == [0, 0, 0, 0]
    known = sorted({event.user for event in W.events if event.time < START + 10 * DAY})
    assert ENCODER.users == tuple(known)
    assert ENCODER.ids("user_id", ["u6"]).tolist() == [0]  # does nothing at all


def test_vocabularies_of_users_come_from_known_users_and_of_items_from_all() -> None:
    known = [W.users[user] for user in ENCODER.users]
    assert ENCODER.vocabularies["job"] == tuple(sorted({job for _, job in known}))
    assert ENCODER.vocabularies["genres"] == tuple(
        sorted({g for _, genres in W.items.values() for g in genres})
    )
    ages = [age for age, _ in known]
    assert list(ENCODER.edges["age"]) == sorted(set(np.quantile(ages, [1 / 3, 2 / 3])))


def test_bins_count_the_edges_below() -> None:
    config, edges = ROLES.user["age"], ENCODER.edges["age"]
    values = [-1e9, *edges, *(edge - 0.5 for edge in edges), 35, 1e9, None, math.nan]
    expected = [0 if v is None or math.isnan(v) else 1 + sum(edge <= v for edge in edges) for v in values]
    assert ENCODER.encode("age", config, values).tolist() == expected
    feature = {f.name: f for f in ENCODER.features(5)}["age"]
    assert feature.kind == "categorical" and feature.vocab == len(edges) + 2 == max(expected) + 1


@pytest.mark.parametrize("empty", [None, [], float("nan"), np.array([])])
def test_a_multi_feature_keeps_its_first_known_values(empty: object) -> None:
    config, words = ROLES.item["genres"], ENCODER.vocabularies["genres"]
    cells = [["?", words[2], words[0], words[1]], np.array([words[1]]), empty, ["?"]]
    assert ENCODER.encode("genres", config, cells).tolist() == [[3, 1], [2, 0], [0, 0], [0, 0]]


def test_whole_numbers_are_the_same_word_as_floats() -> None:
    """As they come out of a data frame in which one is missing."""
    roles = SchemaConfig(user={"zip": FeatureConfig("categorical")})
    encoder = Encoder(roles, ("10", "11"), ("1", "2"), {"zip": ("5", "7")})
    frame = pd.DataFrame({"zip": [7, None, 5]})
    assert encoder.ids("zip", frame["zip"].to_list()).tolist() == [2, 0, 1]
    assert encoder.ids("item_id", [10, 11.0, "11", 10.5]).tolist() == [1, 2, 2, 0]
    assert encoder.ids("zip", pl.Series([5, None]).to_list()).tolist() == [1, 0]


def test_the_catalogue_has_an_empty_row_0() -> None:
    catalogue = ENCODER.catalogue(W.log)
    assert catalogue["item_id"].tolist() == list(range(10)) and not catalogue["genres"][0].any()
    for row, raw in enumerate(sorted(W.items), 1):
        assert catalogue["year"][row] == 1 + sum(edge <= W.items[raw][0] for edge in ENCODER.edges["year"])
        ids = [1 + ENCODER.vocabularies["genres"].index(genre) for genre in W.items[raw][1]][:2]
        assert catalogue["genres"][row].tolist() == [*ids, 0, 0][:2]


def test_an_absent_column_is_unknown_and_a_time_may_be_too() -> None:
    batch = ENCODER.user_features({"job": [ENCODER.vocabularies["job"][0], "?"]}, 2)
    assert batch["age"].tolist() == batch["user_id"].tolist() == [0, 0] and batch["job"].tolist() == [1, 0]
    assert ENCODER.clock(torch.tensor([-1, 0, 86399, 86400]))["hour"].tolist() == [0, 1, 24, 1]
    assert ENCODER.clock(torch.tensor([-1, 0, 86399, 86400]))["weekday"].tolist() == [0, 1, 1, 2]


def test_a_feature_may_be_made_of_a_column_of_another_name() -> None:
    roles = replace(ROLES, user={"years": FeatureConfig("numeric", bins=2, of="age")})
    encoder = Encoder.fit(W.log, roles, torch.arange(6))
    assert encoder.user_features({"age": [5, 95]}, 2)["years"].tolist() == [1, 2]
    with pytest.raises(
        UserError, match=r"no column 'agee' for feature 'years' .did you mean 'age'.., found user_id"
    ):
        Encoder.fit(
            W.log,
            replace(roles, user={"years": FeatureConfig("numeric", bins=2, of="agee")}),
            torch.arange(6),
        )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("age", "old", "age: expected a number, found 'old'"),
        ("genres", "War", "genres: expected a list of values, found 'War'"),
    ],
)
def test_a_value_of_another_kind_is_an_error(name: str, value: str, message: str) -> None:
    config = (ROLES.user | ROLES.item)[name]
    with pytest.raises(UserError, match=f"^{message}$"):
        ENCODER.encode(name, config, [value])


@pytest.mark.parametrize("damage", ["", "{", "[]", "3", '{"roles": 3}', "null"])
def test_damaged_json_is_one_line(damage: str) -> None:
    raw = json.loads(ENCODER.to_json())
    for text in (damage, json.dumps({**raw, "roles": {**raw["roles"], "user": []}}), ENCODER.to_json()[:-9]):
        with pytest.raises(UserError, match=r"^encoder.json: not an encoder \(.*\)$"):
            Encoder.from_json(text)

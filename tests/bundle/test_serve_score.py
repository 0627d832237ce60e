"""Scores of pairs, in whatever form they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from tests import tiny
from zoo.bundle import Bundle, serve
from zoo.core.errors import UserError
from zoo.core.types import Candidates
from zoo.data.store import Store
from zoo.funnel import FeatureJoin

STORE = Store.of(tiny.snapshot())
RANKER, RETRIEVER = (Bundle(STORE, model=tiny.model(name)) for name in ("rank/lr", "recall/two_tower"))
COLUMNS = {"user_id": ["u1", "u2", "nobody"], "item_id": ["i3", "no such item", "i5"], "age": [20, None, 60]}
FORMS: dict[str, Callable[[dict[str, list[Any]]], Any]] = {
    "columns": dict,
    "arrays": lambda columns: {name: np.array(values, object) for name, values in columns.items()},
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "rows": lambda columns: [
        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ],
}


def test_a_rankers_scores_are_its_probabilities() -> None:
    request = STORE.request(COLUMNS["user_id"], None, {"age": COLUMNS["age"]})
    ids = STORE.encoder.ids("item_id", COLUMNS["item_id"])[:, None]
    schema = RANKER.model.schema
    batch = FeatureJoin(STORE.catalogue, schema, "watch")(request, Candidates.of(ids))
    expected = {name: torch.sigmoid(x)[:, 0].tolist() for name, x in RANKER.model(batch).items()}
    found = RANKER.score(COLUMNS)
    assert found.keys() == {"watch", "like"}
    assert all(found[name] == pytest.approx(expected[name], abs=1e-6) for name in found)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bundle", [RANKER, RETRIEVER], ids=["rank", "recall"])
def test_every_form_of_table_scores_the_same(form: str, bundle: Bundle) -> None:
    found = bundle.score(FORMS[form](COLUMNS))
    assert all(found[name] == pytest.approx(values) for name, values in bundle.score(COLUMNS).items())
    assert all(len(values) == 3 and np.isfinite(values).all() for values in found.values())


def test_rows_are_scored_one_like_many(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RANKER.score(COLUMNS)
    monkeypatch.setattr(serve, "CHUNK", 2)
    assert all(RANKER.score(COLUMNS)[name] == pytest.approx(values) for name, values in whole.items())
    for row in range(3):
        one = RANKER.score({name: [values[row]] for name, values in COLUMNS.items()})
        assert all(one[name] == pytest.approx([values[row]]) for name, values in whole.items())


def test_a_profile_column_takes_the_place_of_what_is_known() -> None:
    plain = {name: COLUMNS[name] for name in ("user_id", "item_id")}
    assert RANKER.score(plain)["watch"] != RANKER.score(COLUMNS)["watch"]
    # Nothing is known of a new user, so that an empty age changes nothing.
    pair = {"user_id": ["nobody"], "item_id": ["i5"]}
    assert RANKER.score(pair) == RANKER.score(pair | {"age": [None]})


def test_ids_may_be_numbers() -> None:
    assert RANKER.score({"user_id": [1], "item_id": [2]}) == RANKER.score(
        {"user_id": ["1"], "item_id": ["2"]}
    )


def test_an_items_score_is_the_one_it_is_recommended_with() -> None:
    best = RETRIEVER.recommend("u1", k=3)
    found = RETRIEVER.score([{"user_id": "u1", "item_id": one.item_id} for one in best])
    assert found["score"] == pytest.approx([one.score for one in best], abs=1e-6)


PAIR = {"user_id": ["u1"], "item_id": ["i3"]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"user_id": ["u1"]}, r"score: no column 'item_id'(.*), found \['user_id'\]"),
        (
            {"user_id": ["u1"], "itemid": ["i1"]},
            r"score: no column 'item_id' \(did you mean 'itemid'\?\), found .*",
        ),
        ([], r"score: no column 'user_id', found \[\]"),
        ({**PAIR, "agee": [3]}, r"profile: unknown column 'agee' \(did you mean 'age'\?\)"),
        ({**PAIR, "age": ["old"]}, "age: expected a number, found 'old'"),
        ({"user_id": "u196", "item_id": "i242"}, "score: column 'user_id' is 'u196', expected a list; .*"),
        ({"user_id": 196, "item_id": 242}, "score: column 'user_id' is 196, expected a list; .*"),
        (
            {"user_id": ["u1", "u2"], "item_id": ["i1"]},
            "score: columns differ in length: user_id 2, item_id 1",
        ),
        ("rows.csv", "score: expected a DataFrame, columns or a list of dicts, found str"),
        (3, "score: expected a DataFrame, columns or a list of dicts, found int"),
        ([["u1", "i1"]], "score: expected a DataFrame, columns or a list of dicts, found list"),
    ],
)
def test_a_mistake_is_one_line(rows: Any, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}$"):
        RANKER.score(rows)


def test_what_cannot_score_says_so() -> None:
    with pytest.raises(UserError, match="only recall, pre-rank and rank models score single items"):
        Bundle(STORE, model=tiny.model("rerank/mmr")).score(PAIR)
    with pytest.raises(UserError, match="a funnel scores what it recalls"):
        Bundle(STORE).score(PAIR)

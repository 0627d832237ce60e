"""Columns, crosses and scores against loops."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from zoo.core.schema import Feature, Schema, Task
from zoo.core.types import Batch, Candidates, Request
from zoo.funnel import Annotate, Channel, FeatureJoin, Score
from zoo.funnel.features import RECENT, crosses, lateness

SCHEMA = Schema(
    (
        Feature("history:watch", "history", "sequence", 7, 30, "watch"),
        Feature("item_id", "item_id", "categorical", 7),
        Feature("year", "item", "categorical", 5, ordered=True),
        Feature("genres", "item", "multi", 4, 2),
    ),
    (Task("watch"), Task("like", "watch")),
)
CATALOGUE = {
    "item_id": torch.arange(7),
    "year": torch.tensor([0, 1, 4, 2, 0, 3, 1]),
    "genres": torch.tensor([[0, 0], [1, 0], [1, 2], [2, 3], [3, 0], [0, 0], [1, 3]]),
}
JOIN = FeatureJoin(CATALOGUE, SCHEMA.extended(*crosses(SCHEMA)), "watch")
IDS = torch.tensor([[1, 2, 0, 5], [6, 0, 3, 4], [2, 1, 5, 0]])
HISTORY = torch.tensor([[2, 3, 1, 1], [0, 0, 0, 0], [4, 5, 0, 0]])
REQUEST = Request({"history:watch": HISTORY, "age": torch.tensor([3, 4, 5])})


@dataclass
class Opinions:
    """A recall model with opinions."""

    score: torch.Tensor

    def recall(self, request: Request, k: int, exclude: torch.Tensor | None = None) -> Candidates:
        raise NotImplementedError

    def columns(self, request: Request, ids: torch.Tensor) -> Batch:
        return {"score": self.score, "twice": self.score * 2}


def test_a_rank_is_how_many_candidates_score_higher() -> None:
    score = torch.tensor([[0.5, 2.0, 9.0, 0.5], [0.0, 9.0, 0.0, 0.0], [1.0, 3.0, 2.0, -9.0]])
    found = Annotate([Channel("a", Opinions(score), 1), Channel("b", Opinions(-score), 1)])(
        REQUEST, Candidates.of(IDS)
    )
    assert found.ids is IDS and set(found.columns) == {
        f"{c}:{n}" for c in "ab" for n in ("score", "twice", "rank")
    }
    assert found.columns["a:twice"].equal(score * 2)
    for row, ids in enumerate(IDS.tolist()):
        for place, item in enumerate(ids):
            if item:
                others = [float(score[row, p]) for p, other in enumerate(ids) if other]
                expected = math.log(1 + sum(other > score[row, place] for other in others))
                assert found.columns["a:rank"][row, place].item() == pytest.approx(expected)


def test_a_rank_does_not_tell_the_order_of_candidates() -> None:
    """Or a channel that knows nobody would tell a ranker which candidates were added as positives."""
    flat = Annotate([Channel("a", Opinions(torch.zeros(3, 4)), 1)])(REQUEST, Candidates.of(IDS))
    assert not flat.columns["a:rank"][IDS > 0].any()


def test_crosses_of_a_schema() -> None:
    names = [(cross.name, cross.role, cross.kind, cross.of) for cross in crosses(SCHEMA)]
    assert names == [
        ("distance:year", "cross", "numeric", "year"),
        ("affinity:genres", "cross", "numeric", "genres"),
    ]


def test_an_affinity_is_the_cosine_with_the_genres_of_the_history() -> None:
    def counts(items: list[int]) -> np.ndarray:
        return np.bincount(
            [g for item in items for g in CATALOGUE["genres"][item].tolist() if g], minlength=4
        )

    found = JOIN(REQUEST, Candidates.of(IDS))["affinity:genres"]
    for row, ids in enumerate(IDS.tolist()):
        taste = counts([item for item in HISTORY[row].tolist() if item])
        for place, item in enumerate(ids):
            own = counts([item])
            norm = np.linalg.norm(taste) * np.linalg.norm(own)
            assert found[row, place].item() == pytest.approx(taste @ own / norm if norm else 0, abs=1e-6)


def test_a_distance_is_that_to_the_mean_bin_of_the_history() -> None:
    found = JOIN(REQUEST, Candidates.of(IDS))["distance:year"]
    for row, ids in enumerate(IDS.tolist()):
        bins = [int(CATALOGUE["year"][item]) for item in HISTORY[row].tolist() if item]
        known = [value for value in bins if value]
        for place, item in enumerate(ids):
            own = int(CATALOGUE["year"][item])
            expected = abs(own - sum(known) / len(known)) if own and known else 0
            assert found[row, place].item() == pytest.approx(expected)


def test_only_the_newest_events_make_a_taste() -> None:
    long = torch.cat([torch.full((3, RECENT), 1), HISTORY], dim=1)
    found = JOIN(Request({**REQUEST.features, "history:watch": long}), Candidates.of(IDS))
    recent = JOIN(Request({**REQUEST.features, "history:watch": long[:, :RECENT]}), Candidates.of(IDS))
    assert all(found[name].equal(recent[name]) for name in ("affinity:genres", "distance:year"))


def test_a_join_holds_request_catalogue_and_columns() -> None:
    column = torch.rand(3, 4)
    batch = JOIN(REQUEST, Candidates.of(IDS).with_columns(**{"a:score": column}))
    assert batch["item_id"].equal(IDS) and batch["age"].tolist() == [3, 4, 5] and batch["a:score"] is column
    assert batch["genres"].shape == (3, 4, 2) and batch["genres"][1, 2].tolist() == [2, 3]


def test_statistics_of_candidates_join_and_their_crosses_are_not_made_here() -> None:
    """A cross with year that is a count keeps what `live` says, beside the distance that is made here."""

    def live(request: Batch, ids: torch.Tensor) -> Batch:
        return {"item_count:1d": ids * 0.5, "user_year_count:1d": ids + request["age"][:, None] * 1.0}

    schema = JOIN.schema.extended(
        Feature("item_count:1d", "item_stat", "numeric"),
        Feature("user_year_count:1d", "cross", "numeric", of="year"),
    )
    join = FeatureJoin(CATALOGUE, schema, "watch", live)
    found, plain = join(REQUEST, Candidates.of(IDS)), JOIN(REQUEST, Candidates.of(IDS))
    assert found["item_count:1d"].equal(IDS * 0.5)
    assert found["user_year_count:1d"].tolist()[0] == [4, 5, 3, 8]
    assert found.keys() - plain.keys() == {"item_count:1d", "user_year_count:1d"}
    assert all(found[name].equal(values) for name, values in plain.items())


def test_scores_are_the_expected_number_of_behaviours_and_the_best_stay() -> None:
    watch = torch.tensor([[0.1, 0.5, 0.9, 0.5], [0.2, 0.9, 0.3, 0.4], [0.6, 0.6, 0.6, 0.9]])
    like = torch.tensor([[1.0, 0.0, 0.9, 0.2], [0.5, 0.9, 1.0, 0.1], [0.5, 0.5, 0.4, 0.9]])
    given = Candidates.of(IDS, torch.rand(3, 4), 2)
    found = Score(lambda batch: {"watch": watch, "like": like}, JOIN, keep=2)(REQUEST, given)
    assert found.ids.tolist() == [[5, 2], [3, 4], [2, 1]] and found.source.tolist() == [[4, 4]] * 3
    assert found.scores[0].tolist() == pytest.approx([0.5 * 1.2, 0.5])
    assert found.columns["p:watch"][1].tolist() == pytest.approx([0.3, 0.4])
    assert found.columns["p:like"][1].tolist() == pytest.approx([1.0, 0.1])  # still conditional
    everything = Score(lambda batch: {"watch": watch, "like": like}, JOIN)(REQUEST, given)
    assert everything.ids.tolist() == [[5, 2, 1, 0], [3, 4, 6, 0], [2, 1, 5, 0]]


def test_nothing_is_scored_when_nothing_is_there() -> None:
    found = Score(lambda batch: {n: batch["item_id"].float() for n in ("watch", "like")}, JOIN, 5)(
        REQUEST, Candidates.empty(3)
    )
    assert found.ids.shape == found.columns["p:like"].shape == (3, 0)


def test_how_lately_a_candidate_is_in_a_history_equals_a_loop() -> None:
    draw = torch.Generator().manual_seed(0)
    history, ids = torch.randint(0, 6, (7, 9), generator=draw), torch.randint(0, 6, (7, 4), generator=draw)
    found = lateness(history, ids)
    for b in range(7):
        past = history[b].tolist()
        for k, item in enumerate(ids[b].tolist()):
            expected = 1 / (1 + past.index(item)) if item and item in past else 0.0
            assert found[b, k] == pytest.approx(expected)
    assert lateness(history[:, :0], ids).sum() == 0

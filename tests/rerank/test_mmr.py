"""Maximal marginal relevance against its definition, written as a loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.core.schema import Feature, Schema
from zoo.core.types import Candidates, Request
from zoo.rerank.mmr import MMR, MMRConfig, greedy

GENRES = torch.tensor([[0, 0], [1, 0], [1, 2], [2, 0], [3, 1], [0, 0], [3, 0]])
SCHEMA = Schema((Feature("item_id", "item_id", "categorical", 7), Feature("genres", "item", "multi", 4, 2)))
REQUEST = Request({"user_id": torch.zeros(1, dtype=torch.int64)})


def reranker(**params: object) -> MMR:
    model: MMR = create_model("rerank/mmr", SCHEMA, **params)
    model.prepare({"genres": GENRES})
    return model


def definition(reward: list[float], similarity: np.ndarray, theta: float, window: int | None) -> list[int]:
    """Positions in the order chosen; a tie goes to the first."""
    chosen: list[int] = []
    while len(chosen) < len(reward):
        last = chosen[-window:] if window else chosen

        def value(i: int, last: list[int] = last) -> float:
            return theta * reward[i] - (1 - theta) * max((similarity[i, j] for j in last), default=0.0)

        left = [i for i in range(len(reward)) if i not in chosen]
        chosen.append(max(left, key=value))
    return chosen


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=1, max_size=7),
    # Eighths and one-hot vectors, so that ties are ties in floating point as well.
    st.sampled_from([0.0, 0.25, 0.5, 0.875, 1.0]),
    st.none() | st.integers(1, 4),
    st.integers(1, 8),
    st.integers(0, 99),
)
def test_the_greedy_choice_is_the_definition(
    items: list[tuple[bool, int]], theta: float, window: int | None, keep: int, seed: int
) -> None:
    mask = torch.tensor([[there for there, _ in items]])
    reward = torch.tensor([[score / 4 for _, score in items]])
    vectors = torch.eye(3)[torch.randint(3, (1, len(items)), generator=torch.Generator().manual_seed(seed))]
    config = MMRConfig(keep=keep, theta=theta, window=window)
    found = greedy(reward, mask, vectors, config)[0].tolist()
    real = [place for place, (there, _) in enumerate(items) if there]
    similarity = (vectors[0] @ vectors[0].T).numpy()[np.ix_(real, real)]
    order = definition([items[place][1] / 4 for place in real], similarity, theta, window)
    assert found[: len(real)] == [real[place] for place in order][:keep]
    assert len(set(found)) == len(found) == min(keep, len(items))


@pytest.mark.parametrize("window", [None, 1, 3])
def test_real_similarities_too(window: int | None) -> None:
    draw = torch.Generator().manual_seed(0)
    reward = torch.rand(20, 15, generator=draw)
    vectors = torch.nn.functional.normalize(torch.rand(20, 15, 4, generator=draw), dim=-1)
    config = MMRConfig(keep=15, theta=0.6, window=window)
    found = greedy(reward, torch.ones(20, 15, dtype=torch.bool), vectors, config)
    for row in range(20):
        similarity = (vectors[row] @ vectors[row].T).numpy()
        assert found[row].tolist() == definition(reward[row].tolist(), similarity, 0.6, window)


def test_similarity_is_the_cosine_of_genres() -> None:
    hot = np.array([[value in row for value in (1, 2, 3)] for row in GENRES.tolist()], float)
    norms = np.maximum(np.linalg.norm(hot, axis=1, keepdims=True), 1e-12)
    assert np.allclose(reranker().vectors.numpy(), hot / norms)


def test_theta_1_keeps_the_order_of_scores_and_theta_0_avoids_repetition() -> None:
    given = Candidates.of(torch.tensor([[1, 3, 6, 2, 4, 5]]), torch.tensor([[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]]))
    assert reranker(theta=1.0)(REQUEST, given).ids.tolist() == [[1, 3, 6, 2, 4, 5]]
    # 1 ties with all, then 3, 6 and 5 repeat nothing, then 2 and 4 are equally like what is there.
    assert reranker(theta=0.0)(REQUEST, given).ids.tolist() == [[1, 3, 6, 5, 2, 4]]


def test_scale_makes_theta_mean_the_same_for_all_scores() -> None:
    ids, scores = torch.tensor([[1, 2, 3, 4, 6]]), torch.tensor([[0.9, 0.8, 0.7, 0.6, 0.5]])
    small, large = (Candidates.of(ids, scores * factor) for factor in (1, 1000))
    assert reranker(theta=0.5)(REQUEST, small).ids.equal(reranker(theta=0.5)(REQUEST, large).ids)
    plain = reranker(theta=0.5, scale=False)
    assert plain(REQUEST, large).ids.tolist() == [[1, 2, 3, 4, 6]] != plain(REQUEST, small).ids.tolist()


def test_keep_is_the_configs_unless_said() -> None:
    given = Candidates.of(torch.tensor([[1, 3, 6, 2]]), torch.ones(1, 4))
    assert reranker(keep=2)(REQUEST, given).ids.shape == (1, 2) and reranker(keep=2)(
        REQUEST, given, 3
    ).ids.shape == (1, 3)


def test_a_row_of_padding_stays_one() -> None:
    given = Candidates.of(torch.tensor([[0, 0, 0], [0, 4, 0]]), torch.tensor([[9.0, 9, 9], [9, -5, 9]]))
    assert reranker()(REQUEST, given).ids.tolist() == [[0, 0, 0], [4, 0, 0]]


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ("genre", r"no feature 'genre' \(did you mean 'genres'\?\)"),
        ("item_id", "expected multi of role item"),
    ],
)
def test_a_feature_that_will_not_do_is_an_error(feature: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        reranker(feature=feature)


@pytest.mark.parametrize(("name", "value"), [("keep", 0), ("theta", 1.5), ("window", 0)])
def test_a_senseless_option_names_itself(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        MMRConfig(**{name: value})

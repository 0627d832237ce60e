"""Votes of near items against dense numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.world import padded_ids
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.core.schema import Feature, Schema
from zoo.core.types import Request
from zoo.recall.vector_i2i import VectorI2I

ITEMS = 15
SCHEMA = Schema(
    (
        Feature("history:watch", "history", "sequence", ITEMS + 1, 5, "watch"),
        Feature("item_id", "item_id", "categorical", ITEMS + 1),
        Feature("kind", "item", "categorical", 4),
        Feature("price", "item", "numeric", mean=8.0, std=10.0),
    )
)
CATALOGUE = {
    "item_id": torch.arange(ITEMS + 1),
    "kind": torch.tensor([0] + [1, 2, 3] * 5),
    "price": torch.arange(ITEMS + 1).float(),
}


def near(vectors: torch.Tensor | None, **params: object) -> VectorI2I:
    model: VectorI2I = create_model("recall/vector_i2i", SCHEMA, **params)
    model.before_fit(CATALOGUE, vectors)
    model.finish()
    return model


def draw(seed: int = 0) -> torch.Tensor:
    vectors = torch.randn(ITEMS + 1, 3, generator=torch.Generator().manual_seed(seed))
    vectors[7] = 0
    return vectors


def table(vectors: np.ndarray, neighbours: int) -> np.ndarray:
    """`(ITEMS + 1, ITEMS + 1)` cosine of each item with those nearest to it, 0 for all others."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosine = unit @ unit.T
    cosine[0], cosine[:, 0] = 0, 0
    np.fill_diagonal(cosine, 0)
    for row in cosine:
        row[np.argsort(-row, kind="stable")[neighbours:]] = 0
    return np.maximum(cosine, 0)


@pytest.mark.parametrize(
    ("neighbours", "seeds", "half_life"), [(1, 50, None), (4, 2, 1.5), (ITEMS + 3, 50, 2.0)]
)
def test_scores_equal_dense_numpy(neighbours: int, seeds: int, half_life: float | None) -> None:
    model = near(draw(), neighbours=neighbours, seeds=seeds, half_life=half_life)
    asked = [[3, 1, 9], [7], [], [4, 4, 2, 15]]
    expected = np.zeros((len(asked), ITEMS + 1))
    for row, history in enumerate(asked):
        for back, item in enumerate(history[:seeds]):
            weight = 1 if half_life is None else 0.5 ** (back / half_life)
            expected[row] += weight * table(draw().numpy(), neighbours)[item]
    assert np.allclose(model._scores(padded_ids(asked)).numpy(), expected, atol=1e-5)
    request = Request({"history:watch": padded_ids(asked)})
    ids, scores = model.search(request, 5)
    assert not ids[1:3].any() and (scores[ids > 0] > 0).all()
    assert torch.allclose(model.score(request, ids)[ids > 0], scores[ids > 0])


def test_two_seeds_outvote_one_that_is_nearer() -> None:
    """Worked by hand: item 3 has cosine 0.6 with both 1 and 2, item 4 has 0.8 with 1 alone."""
    vectors = torch.zeros(ITEMS + 1, 5)
    vectors[1, 0], vectors[2, 1] = 1, 1
    vectors[3] = torch.tensor([0.6, 0.6, (1 - 0.72) ** 0.5, 0, 0])
    vectors[4] = torch.tensor([0.8, 0, 0, 0.6, 0])
    model = near(vectors, neighbours=3)
    score = model.score(Request({"history:watch": torch.tensor([[1, 2]])}), torch.tensor([[3, 4, 5]]))
    assert score[0].tolist() == pytest.approx([1.2, 0.8, 0])


def test_without_vectors_the_items_features_speak() -> None:
    kinds = near(None, content=["kind"], neighbours=4)
    assert set(kinds.neighbours[2].tolist()) == {5, 8, 11, 14} and kinds.similarities[2].tolist() == [1] * 4
    both = near(None, neighbours=2)
    # Item 8 is of the kind of items 5 and 11, which are the nearest by price as well.
    assert set(both.neighbours[8].tolist()) == {5, 11}


def test_what_was_found_is_kept_without_the_vectors() -> None:
    model = near(draw())
    again: VectorI2I = create_model("recall/vector_i2i", SCHEMA)
    again.load_weights(model.state_dict())
    again.finish()
    assert again.neighbours.equal(model.neighbours) and again.similarities.equal(model.similarities)


def test_mistakes_are_told() -> None:
    fresh: VectorI2I = create_model("recall/vector_i2i", SCHEMA)
    with pytest.raises(UserError, match="has no vectors: name an entry in `of`"):
        fresh.finish()
    with pytest.raises(UserError, match="found 3 vectors, expected 16"):
        fresh.before_fit(CATALOGUE, torch.ones(3, 2))
    with pytest.raises(UserError, match=r"no feature 'kinds' \(did you mean 'kind'\?\)"):
        create_model("recall/vector_i2i", SCHEMA, content=["kinds"])
    with pytest.raises(UserError, match="takes no vectors"):
        create_model("recall/popular", SCHEMA, behaviour="watch").before_fit(CATALOGUE, draw())
    with pytest.raises(UserError, match="has no item vectors"):
        create_model("recall/popular", SCHEMA).item_vectors()


@pytest.mark.parametrize(("name", "value"), [("seeds", 0), ("neighbours", 0), ("half_life", 0.0)])
def test_a_senseless_option_names_itself(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        VectorI2I.Config(**{name: value})

"""Features to vectors, against sums by hand."""

from __future__ import annotations

import pytest
import torch

from zoo.core.errors import UserError
from zoo.core.schema import Feature
from zoo.layers.embedding import CLIP, FeatureEmbedding, id_table, masked_mean

FEATURES = (
    Feature("age", "user", "numeric", mean=40.0, std=10.0),
    Feature("genres", "item", "multi", 5, 3),
    Feature("type", "item", "categorical", 4),
    Feature("a.b", "item", "categorical", 4),
)
BATCH = {
    "age": torch.tensor([[50.0, 35.0]]),
    "genres": torch.tensor([[[4, 1, 0], [0, 0, 0]]]),
    "type": torch.tensor([[3, 0]]),
    "a.b": torch.tensor([[1, 1]]),
}


def test_vectors_stand_side_by_side_numbers_last() -> None:
    layer = FeatureEmbedding(FEATURES, 2, init_std=1.0)
    found = layer(BATCH)
    genres, kind, dotted = (table.weight for table in layer.tables.values())
    first = torch.cat([(genres[4] + genres[1]) / 2, kind[3], dotted[1], torch.tensor([1.0])])
    second = torch.cat([torch.zeros(4), dotted[1], torch.tensor([-0.5])])
    assert layer.dim == 7 and torch.allclose(found, torch.stack([first, second])[None])


def test_any_leading_dimensions_will_do() -> None:
    layer = FeatureEmbedding(FEATURES, 2)
    flat = {name: value[0] for name, value in BATCH.items()}
    assert layer(flat).equal(layer(BATCH)[0])


def test_odd_numbers_are_clipped() -> None:
    layer = FeatureEmbedding(FEATURES[:1], 2)
    assert layer({"age": torch.tensor([1e9, -torch.inf])}).flatten().tolist() == [CLIP, -CLIP]


@pytest.mark.parametrize("name", ["type", "items", "keys", "training", "x.y", "é:ü", "forward"])
def test_a_feature_may_have_any_name(name: str) -> None:
    layer = FeatureEmbedding(
        [Feature(name, "item", "categorical", 3), Feature("age", "user", "categorical", 3)], 2
    )
    again = FeatureEmbedding(
        [Feature(name, "item", "categorical", 3), Feature("age", "user", "categorical", 3)], 2
    )
    again.load_state_dict(layer.state_dict())
    batch = {name: torch.tensor([1, 2]), "age": torch.tensor([2, 2])}
    assert layer(batch).equal(again(batch)) and layer(batch).shape == (2, 4)


def test_row_0_is_zero_and_gets_no_gradient() -> None:
    table = id_table(4, 3)
    table(torch.tensor([0, 1])).sum().backward()
    assert not table.weight[0].any() and table.weight[1:].any()
    assert table.weight.grad is not None and not table.weight.grad[0].any() and table.weight.grad[1].all()


def test_the_mean_of_nothing_is_zero() -> None:
    vectors, mask = torch.randn(2, 3, 4), torch.tensor([[True, False, True], [False, False, False]])
    found = masked_mean(vectors, mask)
    assert torch.allclose(found[0], (vectors[0, 0] + vectors[0, 2]) / 2) and not found[1].any()


def test_no_feature_is_an_error() -> None:
    with pytest.raises(UserError, match="no feature is left to embed"):
        FeatureEmbedding([], 4)

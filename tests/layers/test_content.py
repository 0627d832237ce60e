"""Features to vectors without learning, by hand."""

from __future__ import annotations

import pytest
import torch

from zoo.core.errors import UserError
from zoo.core.schema import Feature
from zoo.layers.content import content_vectors

GENRES = Feature("genres", "item", "multi", 4, 2)
YEAR = Feature("year", "item", "numeric", mean=1990.0, std=10.0)
PRICE = Feature("price", "item", "numeric", mean=1.0, std=1.0)
CATALOGUE = {
    "genres": torch.tensor([[0, 0], [1, 3], [3, 0]]),
    "year": torch.tensor([1990.0, 2000.0, 1e9]),
    "price": torch.tensor([1.0, 3.0, 1.0]),
}


def test_sets_are_unit_vectors_and_numbers_standardised() -> None:
    found = content_vectors([YEAR, GENRES, PRICE], CATALOGUE)
    half = 0.5**0.5
    expected = [[0, 0, 0, 0, 0, 0], [0, half, 0, half, half, 2 * half], [0, 0, 0, 1, 5 * half, 0]]
    assert torch.allclose(found, torch.tensor(expected))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([], "have no features"),
        ([Feature("age", "user", "numeric")], "'age' is of role user, expected one of role item"),
        (
            [Feature("word", "item", "categorical", 10_001)],
            "'word' has 10,001 values, expected at most 10,000",
        ),
    ],
)
def test_what_makes_no_vectors_is_told(features: list[Feature], message: str) -> None:
    with pytest.raises(UserError, match=message):
        content_vectors(features, CATALOGUE)

"""Views of items and the mutual information of their features, against loops and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score

from zoo.core.schema import Feature
from zoo.layers import augment

FEATURES = (
    Feature("item_id", "item_id", "categorical", 101),
    Feature("genres", "item", "multi", 6, 4),
    Feature("price", "item", "numeric", mean=3.0, std=2.0),
    Feature("brand", "item", "categorical", 5),
)
DRAW = torch.Generator().manual_seed(0)
BRAND = torch.randint(1, 5, (101,), generator=DRAW)
CATALOGUE = {
    "item_id": torch.arange(101),
    "genres": torch.rand(101, 5, generator=DRAW).argsort(1)[:, :4] + 1,
    # Half of it is told by the brand.
    "price": BRAND + torch.randint(0, 2, (101,), generator=DRAW) * 4.0,
    "brand": BRAND,
}
DEFAULTS = {"item_id": 0, "genres": 0, "price": 3.0, "brand": 0}


def items(count: int = 400) -> dict[str, torch.Tensor]:
    ids = torch.randint(1, 101, (count,))
    return {name: values[ids] for name, values in CATALOGUE.items()}


def hidden(view: dict[str, torch.Tensor], own: dict[str, torch.Tensor]) -> np.ndarray:
    """`(N, F)` where a feature is its default; every other value must be the item's own."""
    columns = []
    for name, default in DEFAULTS.items():
        gone = (view[name] == default).reshape(len(view[name]), -1).all(1)
        assert view[name][~gone].equal(own[name][~gone])
        columns.append(gone.numpy())
    return np.stack(columns, axis=1)


def test_random_masks_hide_their_share_in_either_view_independently_and_never_all() -> None:
    torch.manual_seed(0)
    own = items(5000) | {"price": torch.full((5000,), 9.0)}
    first, second = (hidden(view, own) for view in augment.random_mask((own, own), FEATURES, 0.4))
    # Each has .4, but for the feature with the highest draw where all four are below.
    share = 0.4 - 0.4**4 / 4
    assert first.mean(0) == pytest.approx([share] * 4, abs=0.03)
    assert (first & second).mean() == pytest.approx(share**2, abs=0.02)
    assert not first.all(1).any() and not second.all(1).any()


def test_dropout_thins_out_the_values_of_multi_valued_features_only() -> None:
    torch.manual_seed(0)
    own = items(2000)
    for view in augment.dropout((own, own), FEATURES):
        assert all(view[name].equal(own[name]) for name in ("item_id", "price", "brand"))
        kept = view["genres"] > 0
        assert view["genres"][kept].equal(own["genres"][kept])
        assert kept.float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_complements_show_every_feature_once() -> None:
    own, splits = items() | {"price": torch.full((400,), 9.0)}, set()
    for seed in range(30):
        torch.manual_seed(seed)
        first, second = (hidden(view, own) for view in augment.complement((own, own), FEATURES))
        assert (first ^ second).all() and (first == first[0]).all() and first[0].sum() == 2
        splits.add(tuple(first[0].tolist()))
    assert len(splits) == 6


def test_the_most_related_are_hidden_with_their_seed() -> None:
    own = items() | {"price": torch.full((400,), 9.0)}
    information = torch.tensor([[0, 1, 2, 3], [1, 0, 9, 2], [2, 9, 0, 1], [3, 2, 1, 0]]).float()
    # Of 4 = k + 1 features a seed and its one most related: the ID with the brand, the genres with the price.
    groups = set()
    for seed in range(30):
        torch.manual_seed(seed)
        first, second = (hidden(view, own) for view in augment.related((own, own), FEATURES, information))
        assert (first ^ second).all() and (first == first[0]).all()
        groups.add(tuple(np.flatnonzero(first[0]).tolist()))
    assert groups == {(0, 3), (1, 2)}


def test_information_of_categories_is_scikit_learns() -> None:
    found = augment.mutual_information(CATALOGUE, FEATURES, bins=4)
    price = CATALOGUE["price"][1:].numpy()
    binned = np.searchsorted(np.quantile(price, [0.25, 0.5, 0.75]), price, side="right")
    brand, ids = CATALOGUE["brand"][1:].numpy(), np.arange(100)
    assert found[2, 3].item() == pytest.approx(mutual_info_score(binned, brand), rel=1e-5)
    assert found[0, 3].item() == pytest.approx(mutual_info_score(ids, brand), rel=1e-5)
    assert found.equal(found.T) and found[2, 3] > 0.5 > 0.1 > found[1, 3]


def test_information_of_several_values_is_that_of_a_loop() -> None:
    genres = CATALOGUE["genres"].clone()
    genres[torch.rand(genres.shape, generator=torch.Generator().manual_seed(1)) < 0.4] = 0
    brand = CATALOGUE["brand"].clone()
    brand[5:20] = 0
    found = augment.mutual_information({**CATALOGUE, "genres": genres, "brand": brand}, FEATURES)[1, 3]
    joint: dict[tuple[int, int], float] = {}
    for row, own in list(zip(genres.tolist(), brand.tolist(), strict=True))[1:]:
        values = [value for value in row if value]
        for value in values if own else []:
            joint[value, own] = joint.get((value, own), 0) + 1 / len(values)
    total = sum(joint.values())
    p = {pair: weight / total for pair, weight in joint.items()}
    left, right = ({v: sum(w for pair, w in p.items() if pair[i] == v) for v in range(7)} for i in (0, 1))
    expected = sum(w * np.log(w / left[u] / right[v]) for (u, v), w in p.items())
    assert found.item() == pytest.approx(expected, rel=1e-4)

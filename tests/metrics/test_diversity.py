"""Beyond-accuracy metrics against hand-worked values and naive loops."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.metrics import CategoryEntropy, Coverage, Gini, IntraListDistance, Novelty
from zoo.metrics import functional as fn

CATEGORIES = torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]])
"""Row 0 is noise that padding must never let in; item 4 has no category."""


def random_lists(batch: int = 30, length: int = 8, n_items: int = 40) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.rand(batch, n_items, generator=generator).argsort(dim=1)[:, :length]
    return ids, (torch.rand(n_items + 1, 6, generator=generator) < 0.3).float()


def similarity(a: np.ndarray, b: np.ndarray, kind: str) -> float:
    size = math.sqrt(a.sum() * b.sum()) if kind == "cosine" else np.maximum(a, b).sum()
    return float((a * b).sum() / size) if size else 0.0


@pytest.mark.parametrize("kind", ["cosine", "jaccard"])
def test_intra_list_distance_equals_a_loop_over_pairs(kind: str) -> None:
    ids, items = random_lists()
    expected = [
        np.mean(
            [
                1 - similarity(items[i].numpy(), items[j].numpy(), kind)
                for i, j in combinations(row[row > 0], 2)
            ]
        )
        for row in ids
    ]
    np.testing.assert_allclose(fn.intra_list_distance(ids, items, kind), expected, rtol=1e-5)


def test_intra_list_distance_from_a_matrix() -> None:
    matrix = torch.rand(5, 5)
    ids = torch.tensor([[1, 3, 4], [2, 0, 1], [2, 0, 0]])
    pairs = [(1, 3), (1, 4), (3, 4)]
    expected = torch.stack(
        [1 - torch.stack([matrix[i, j] for i, j in pairs]).mean(), 1 - matrix[2, 1], torch.tensor(math.nan)]
    )
    torch.testing.assert_close(fn.intra_list_distance(ids, matrix, "matrix"), expected, equal_nan=True)


def test_intra_list_distance_worked_by_hand() -> None:
    ids = torch.tensor([[1, 2, 0], [1, 3, 4]])
    expected = torch.tensor([1 - 1 / math.sqrt(2), 1.0])
    torch.testing.assert_close(fn.intra_list_distance(ids, CATEGORIES), expected)
    torch.testing.assert_close(fn.intra_list_distance(ids, CATEGORIES, "jaccard"), torch.tensor([0.5, 1.0]))
    with pytest.raises(ValueError, match="jaccard"):
        fn.intra_list_distance(ids, CATEGORIES, "dice")  # type: ignore[arg-type]


def test_category_entropy_worked_by_hand() -> None:
    ids = torch.tensor([[1, 0, 0], [2, 0, 4], [1, 2, 0], [4, 0, 0]])
    mixed = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    expected = torch.tensor([0, math.log(2), mixed, math.nan])
    torch.testing.assert_close(fn.category_entropy(ids, CATEGORIES), expected, equal_nan=True)


def test_novelty_worked_by_hand() -> None:
    counts = torch.tensor([99, 8, 4, 4, 0])
    ids = torch.tensor([[1, 2], [3, 0], [4, 0], [0, 0]])
    expected = torch.tensor([1.5, 2, 4, math.nan])
    torch.testing.assert_close(fn.novelty(ids, counts), expected, equal_nan=True)


def test_coverage_and_gini_worked_by_hand() -> None:
    alike = torch.tensor([[1, 2], [3, 4]])
    one = torch.tensor([[2, 0], [2, 0]])
    assert fn.coverage(alike, 5).item() == pytest.approx(0.8)
    assert fn.coverage(one, 5).item() == pytest.approx(0.2)
    assert fn.gini(alike, 4).item() == pytest.approx(0)
    assert fn.gini(one, 4).item() == pytest.approx(0.75)
    assert fn.gini(torch.zeros(2, 2, dtype=torch.int64), 4).isnan()


def test_gini_is_half_the_relative_mean_difference() -> None:
    ids, _ = random_lists()
    shown = np.bincount(ids.flatten(), minlength=41)[1:]
    differences = np.abs(shown[:, None] - shown[None]).mean()
    assert fn.gini(ids, 40).item() == pytest.approx(differences / (2 * shown.mean()))


def test_replicates_equal_lists_repeated() -> None:
    ids, _ = random_lists()
    weights = torch.from_numpy(np.random.default_rng(0).multinomial(8, np.full(30, 1 / 30), size=5))
    for metric in (fn.coverage, fn.gini):
        expected = torch.stack([metric(ids.repeat_interleave(times, dim=0), 40) for times in weights])
        torch.testing.assert_close(metric(ids, 40, weights), expected)


def test_padding_has_no_effect() -> None:
    ids, items = random_lists()
    padded = torch.nn.functional.pad(ids, (2, 3))
    counts = torch.arange(41)
    torch.testing.assert_close(fn.intra_list_distance(padded, items), fn.intra_list_distance(ids, items))
    torch.testing.assert_close(fn.category_entropy(padded, items), fn.category_entropy(ids, items))
    torch.testing.assert_close(fn.novelty(padded, counts), fn.novelty(ids, counts))
    torch.testing.assert_close(fn.exposure(padded, 40), fn.exposure(ids, 40))


def test_classes_do_not_depend_on_the_batches() -> None:
    ids, items = random_lists()
    ids[3, 1:] = 0
    counts = torch.arange(41)
    for metric, expected in (
        (IntraListDistance(items), fn.intra_list_distance(ids, items).double().nanmean()),
        (CategoryEntropy(items), fn.category_entropy(ids, items).double().nanmean()),
        (Novelty(counts), fn.novelty(ids, counts).double().nanmean()),
        (Coverage(40), fn.coverage(ids, 40)),
        (Gini(40), fn.gini(ids, 40)),
    ):
        for part in (ids[:4], ids[4:]):
            metric.update(part)
        torch.testing.assert_close(metric.compute(), expected)

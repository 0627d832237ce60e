"""Against a dense singular value decomposition of numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zoo.layers.spectral import spectral_items


@pytest.mark.parametrize(("users", "items", "dim"), [(200, 40, 5), (30, 90, 8), (6, 9, 20)])
def test_they_span_what_the_leading_singular_vectors_span(users: int, items: int, dim: int) -> None:
    draw = np.random.default_rng(0)
    # Crowds with an own part of the catalogue, so that the spectrum has a gap; item 2 is never chosen.
    user, item = (x[0] for x in np.split(draw.integers([[users], [items]], size=(2, users * 12)), 2))
    keep = (user % 4 == item % 4) & (item != 1)
    user, item = user[keep], item[keep] + 1
    torch.manual_seed(0)
    found = spectral_items(torch.from_numpy(user), torch.from_numpy(item), items, dim).double().numpy()
    matrix = np.zeros((users, items + 1))
    np.add.at(matrix, (user, item), 1.0)
    norms = np.sqrt(np.maximum(matrix.sum(1, keepdims=True), 1) * np.maximum(matrix.sum(0), 1))
    _, strength, _ = np.linalg.svd(matrix / norms)
    rank = min(dim, int((strength > 1e-9).sum()))
    # As good a filter as the exact one: it keeps as much of the matrix.
    kept = np.square(matrix / norms @ found[:, :rank]).sum()
    assert kept == pytest.approx(np.square(strength[:rank]).sum(), rel=0.01)
    width = min(dim, users, items + 1)
    np.testing.assert_allclose(found.T[:rank] @ found[:, :rank], np.eye(rank), atol=1e-3)
    torch.manual_seed(0)
    scaled = spectral_items(torch.from_numpy(user), torch.from_numpy(item), items, dim, 0.5).numpy()
    np.testing.assert_allclose(np.linalg.norm(scaled, axis=0)[:rank], np.sqrt(strength[:rank]), rtol=0.05)
    assert not found[[0, 2]].any() and not found[:, width:].any()

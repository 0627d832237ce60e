"""Popularity against numpy's bincount."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.conformance.setting import fit
from tests.world import DAY, START, world
from zoo.core.registry import create_model
from zoo.core.types import Request
from zoo.data.split import window
from zoo.data.views import HistoryView
from zoo.recall.popular import Popular

W, CUT = world(4), START + 30 * DAY


@pytest.mark.parametrize("behaviour", ["watch", "like"])
@pytest.mark.parametrize("half_life", [None, 10.0])
def test_counts_equal_bincount(behaviour: str, half_life: float | None) -> None:
    snapshot = W.snapshot(CUT)
    model: Popular = create_model(
        "recall/popular", snapshot.schema, behaviour=behaviour, half_life_days=half_life
    )
    fit(model, HistoryView(snapshot), batch_size=2)
    past = [e for e in W.events if e.time < CUT and (behaviour == "watch" or e.rating >= 4)]
    weights = [0.5 ** ((CUT - e.time) / DAY / (half_life or np.inf)) for e in past]
    counts = np.bincount([W.item(e.item) for e in past], weights, minlength=len(W.items) + 1)
    assert np.allclose(model.counts.numpy(), counts, atol=1e-5)
    request = Request(snapshot.requests(window(snapshot.events, CUT, 2**40)))
    ids, scores = model.search(request, 4)
    best = sorted(range(1, len(W.items) + 1), key=lambda item: (-np.float32(model.counts[item]), item))[:4]
    assert ids.tolist() == [best] * len(request)
    assert np.allclose(scores.numpy(), counts[best], atol=1e-5)
    assert model.score(request, torch.tensor([[3, 0]] * len(request)))[:, 1].eq(0).all()


def test_a_senseless_option_names_itself() -> None:
    with pytest.raises(ValueError, match=r"^half_life_days must be above 0"):
        Popular.Config(half_life_days=0.0)

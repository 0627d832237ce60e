"""Labels that are numbers against numpy, and what a model makes of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit

from tests.conformance.setting import fit, prepared, rank_batch, rank_data
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.core.schema import Feature
from zoo.data.views import CandidateView
from zoo.training.rank import RankModel
from zoo.training.values import BINS, CLIP, PRIOR_ROWS, DurationCurve, target, truth

SCHEMA, VIEW = rank_data()
SHAPE = VIEW.candidates["item_id"].shape
SECONDS = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) * 40
VALUES = {"watch_time": "weighted_logistic", "share": "regression", "done": "binary"}


def labelled(seconds: torch.Tensor = SECONDS) -> CandidateView:
    """Seconds watched where an item was watched, and the share of 30 seconds."""
    seconds = seconds.where(VIEW.candidates["label:watch"] > 0, torch.nan)
    labels = {"watch_time": seconds, "share": seconds / 30, "done": seconds / 30}
    candidates = VIEW.candidates | {f"label:{name}": value for name, value in labels.items()}
    return CandidateView(VIEW.requests, candidates, VIEW.catalogue)


def model(**params: object) -> RankModel:
    torch.manual_seed(0)
    made: RankModel = create_model("rank/dcn_v2", SCHEMA, values=VALUES, duration="year", **params)
    return made


def test_targets_worked_by_hand() -> None:
    share = torch.tensor([0.0, 0.5, 0.8, 0.9, 3.0, float("nan")])
    assert target("weighted_logistic", torch.tensor([0.0, 1.0, 3.0])).tolist() == [0, 0.5, 0.75]
    assert target("regression", share)[:5].tolist() == pytest.approx([0, 0.5, 0.8, 0.9, 1])
    assert target("binary", share)[:5].tolist() == [0, 0, 0, 1, 1]
    assert all(truth(form, share).isnan().tolist() == 5 * [False] + [True] for form in VALUES.values())


def test_the_loss_is_that_of_the_tasks_and_a_cross_entropy_of_each_value() -> None:
    view, made = labelled(), model(task_weights={"watch_time": 2.0}).eval()
    batch = view.batch(torch.arange(len(view)))
    logits = {name: value.detach().numpy() for name, value in made(batch).items()}
    seconds = batch["label:watch_time"].numpy()
    known = ~np.isnan(seconds)
    targets = {
        "watch_time": seconds / (1 + seconds),
        "share": np.minimum(seconds / 30, 1),
        "done": seconds / 30 > 0.8,
    }
    expected = 0.0
    for name, y in targets.items():
        p, t = expit(logits[name][known].astype(float)), y[known].astype(float)
        loss = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
        expected += loss * (2 if name == "watch_time" else 1)
    made.values = {}
    expected += made.loss(batch).item()
    made.values = VALUES
    assert made.loss(batch).item() == pytest.approx(expected, rel=1e-5)


def test_watch_time_is_learned_in_seconds() -> None:
    """With a constant to learn, what is expected is the one whose odds are the mean target's."""
    view, made = labelled(torch.full(SHAPE, 9.0)), model()
    fit(made, view, max_epochs=40, batch_size=16, lr=2e-2)
    batch = view.batch(torch.arange(len(view)))
    found, defined = prepared(made).probabilities(batch), batch["label:watch_time"] > 0
    assert found["watch_time"][defined].mean().item() == pytest.approx(9.0, rel=0.2)
    assert found["share"][defined].mean().item() == pytest.approx(0.3, abs=0.05)
    assert found["share:relative"][defined].mean().item() == pytest.approx(1.0, abs=0.2)
    assert list(found) == ["watch", "like", "watch_time", "share", "share:relative", "done", "done:relative"]


def test_the_curve_of_durations_is_a_smoothed_mean_by_bin() -> None:
    draw = np.random.default_rng(0)
    duration, wanted = draw.normal(50, 20, (6, 30)), draw.random((6, 30))
    defined = draw.random((6, 30)) < 0.7
    curve = DurationCurve(Feature("d", "item", "numeric", mean=50.0, std=10.0))
    batch = {"d": torch.from_numpy(duration).float()}
    curve.add(batch, torch.from_numpy(wanted), torch.from_numpy(defined))
    place = (np.clip((duration - 50) / 10, -CLIP, CLIP) + CLIP) / (2 * CLIP) * BINS
    where = np.minimum(place.astype(int), BINS - 1)
    mean = (wanted[defined].sum() + 1) / (defined.sum() + 1)
    for row, column in ((0, 0), (3, 7), (5, 29)):
        mine = wanted[defined & (where == where[row, column])]
        expected = (mine.sum() + PRIOR_ROWS * mean) / (len(mine) + PRIOR_ROWS)
        assert curve(batch)[row, column].item() == pytest.approx(expected, rel=1e-5)


def test_what_cannot_be_learned_is_told() -> None:
    batch = labelled().batch(torch.arange(4))
    without = {name: value for name, value in batch.items() if name != "label:watch_time"}
    with pytest.raises(UserError, match="the rows have no label 'watch_time'"):
        model().loss(without)
    with pytest.raises(UserError, match=r"label 'watch_time' is -\d.*, expected not negative"):
        model().loss(labelled(-1 - SECONDS).batch(torch.arange(4)))
    for name, params, message in (
        ("rank/dcn_v2", {"values": {"watch": "regression"}}, "'watch' is a task"),
        ("rank/dcn_v2", {"values": {"x": "binary"}, "duration": "yaer"}, r"'yaer' \(did you mean 'year'\?\)"),
        ("rank/dcn_v2", {"values": {"x": "binary"}, "duration": "genres"}, "'genres' is multi"),
        ("rank/dcn_v2", {"values": {"x": "logistic"}}, "expected one of weighted_logistic"),
    ):
        with pytest.raises(UserError, match=message):
            create_model(name, SCHEMA, **params)
    assert rank_batch()["item_id"].shape == SHAPE

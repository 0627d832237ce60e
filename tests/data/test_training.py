"""Rows of users, weights and drawn negatives, against loops over plain rows and the draws they should be."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from tests.world import DAY, START, World, ordered, world
from zoo.core.rows import Rows
from zoo.core.types import Batch
from zoo.data.training import Sampler, item_weights, training_view
from zoo.data.views import EventView, View

CUT = START + 25 * DAY
FEW = settings(max_examples=10, deadline=None)


def all_of(view: View) -> Batch:
    return view.batch(torch.arange(len(view)))


def known(w: World) -> list[list[int]]:
    """Items of every user with two events or more before the cut, oldest first."""
    users = ([w.item(e.item) for e in ordered(w, user) if e.time < CUT] for user in sorted(w.users))
    return [items for items in users if len(items) >= 2]


@FEW
@given(st.integers(0, 40))
def test_a_row_of_users_is_a_user_cut_in_two(which: int) -> None:
    w = world(which)
    snapshot = w.snapshot(CUT, history_length=40)
    torch.manual_seed(which)
    view = training_view(snapshot, Rows(unit="users"))
    batch, own = all_of(view), known(w)
    assert len(view) == len(own)
    each = {name: x.split(1) for name, x in all_of(EventView(snapshot)).items()}
    for row, items in enumerate(own):
        history = batch["history:watch"][row][batch["history:watch"][row] > 0].tolist()
        positives = batch["item_id"][row][batch["item_id"][row] > 0].tolist()
        assert history[::-1] + positives == items and positives
        # What else is known is what was known before the first positive.
        match = [
            i
            for i, x in enumerate(each["item_id"])
            if x == positives[0] and (each["user_id"][i] == batch["user_id"][row])
            and int((each["history:watch"][i] > 0).sum()) == len(history)
        ]  # fmt: skip
        assert len(match) == 1
        for name in ("hour", "history_size", "gap", "user_rate:like", "age"):
            assert batch[name][row] == each[name][match[0]][0], name
        likes = each["history:like"][match[0]][0]
        assert (
            batch["history:like"][row][batch["history:like"][row] > 0].tolist() == likes[likes > 0].tolist()
        )
    assert batch["year"].equal(snapshot.catalogue["year"][batch["item_id"]])
    assert not batch["label:watch"][batch["item_id"] == 0].any()


@FEW
@given(st.integers(0, 40))
def test_a_set_loses_nothing_and_its_parts_change(which: int) -> None:
    w = world(which)
    torch.manual_seed(which)
    view = training_view(w.snapshot(CUT, history_length=40), Rows(unit="sets"))
    histories = []
    for _ in range(8):
        batch = all_of(view)
        for row, items in enumerate(known(w)):
            history, positives, likes = (
                batch[name][row][batch[name][row] > 0].tolist()
                for name in ("history:watch", "item_id", "history:like")
            )
            assert Counter(history + positives) == Counter(items) and positives
            assert not Counter(likes) - Counter(history)
            assert not batch["history:like"][row, len(likes) :].any()
        histories.append(tuple(map(tuple, batch["history:watch"].tolist())))
    assert len(set(histories)) > 1


def test_the_nearest_positives_are_kept() -> None:
    w = world(3)
    view = training_view(w.snapshot(CUT, history_length=40), Rows(unit="users", n_positives=2))
    batch = all_of(view)
    assert batch["item_id"].shape[1] == 2
    for row, items in enumerate(known(w)):
        size = int((batch["history:watch"][row] > 0).sum())
        assert [i for i in batch["item_id"][row].tolist() if i] == items[size : size + 2]


def test_a_fixed_share_is_history() -> None:
    view = training_view(world(3).snapshot(CUT, history_length=40), Rows(unit="sets", history_share=0.5))
    batch = all_of(view)
    history, positives = ((batch[name] > 0).sum(1).tolist() for name in ("history:watch", "item_id"))
    expected = [(len(items) // 2, len(items) - len(items) // 2) for items in known(world(3))]
    assert list(zip(history, positives, strict=True)) == expected


def test_the_cut_is_anywhere_with_the_same_chance() -> None:
    w = world(3)
    view = training_view(w.snapshot(CUT, history_length=40), Rows(unit="sets"))
    sizes = torch.stack([(all_of(view)["history:watch"] > 0).sum(1) for _ in range(2000)])
    for row, items in enumerate(known(w)):
        counts = np.bincount(sizes[:, row].numpy(), minlength=len(items))
        assert len(counts) == len(items) and chisquare(counts).pvalue > 1e-4


def test_popularity_draws_in_proportion_to_clicks_to_three_quarters() -> None:
    w = world(5)
    view = training_view(w.snapshot(CUT), Rows(negatives="popularity", n_negatives=50))
    clicks = Counter(w.item(e.item) for e in w.events if e.time < CUT)
    share = np.array([clicks[item] ** 0.75 for item in range(1, 10)])
    share = share / share.sum()
    batches = [view.batch(torch.arange(4)) for _ in range(400)]
    drawn = torch.cat([batch["negative:item_id"] for batch in batches]).numpy()
    counts, there = np.bincount(drawn, minlength=10)[1:], share > 0
    assert not counts[~there].any()
    assert chisquare(counts[there], share[there] * len(drawn)).pvalue > 1e-4
    for ids, log_q in (("negative:item_id", "negative:log_q"), ("item_id", "log_q")):
        expected = np.log(50 * share[batches[0][ids].numpy() - 1])
        np.testing.assert_allclose(batches[0][log_q].numpy(), expected, rtol=1e-5)
    assert batches[0]["negative:year"].equal(
        w.snapshot(CUT).catalogue["year"][batches[0]["negative:item_id"]]
    )


def test_uniform_and_all() -> None:
    drawn = torch.cat([Sampler(7, 100).draw() for _ in range(100)])
    assert chisquare(np.bincount(drawn.numpy(), minlength=8)[1:]).pvalue > 1e-4
    view = training_view(world(5).snapshot(CUT), Rows(negatives="all", n_negatives=3))
    assert view.batch(torch.arange(2))["negative:item_id"].tolist() == list(range(1, 10))
    assert "log_q" not in view.batch(torch.arange(2))


@pytest.mark.parametrize("power", [0.3, 0.5, 1.0])
def test_weights_of_positives_are_a_power_of_popularity(power: float) -> None:
    w = world(6)
    batch = all_of(training_view(w.snapshot(CUT), Rows(positive_power=power)))
    clicks = Counter(batch["item_id"].tolist())
    raw = np.array([clicks[item] ** -power for item in batch["item_id"].tolist()])
    np.testing.assert_allclose(batch["weight"].numpy(), raw / raw.mean(), rtol=1e-5)
    counts = torch.tensor([0, 3, 0, 5])
    assert torch.isfinite(item_weights(counts, power)).all()

"""Recall and merge against a loop over plain lists."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import padded_ids
from zoo.core.types import Batch, Candidates, Request
from zoo.funnel import Channel, Merge, Recall

ITEMS = 8
LIST = st.permutations(range(1, ITEMS + 1)).flatmap(lambda p: st.integers(0, ITEMS).map(lambda n: p[:n]))


@dataclass
class Lists:
    """A recall model that finds what it is told, by user."""

    found: list[list[int]]

    def recall(self, request: Request, k: int, exclude: torch.Tensor | None = None) -> Candidates:
        rows = [self.found[user][:k] for user in request.features["user_id"].tolist()]
        return Candidates.of(padded_ids(rows, min(k, ITEMS)))

    def columns(self, request: Request, ids: torch.Tensor) -> Batch:
        raise NotImplementedError


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Channel], Request]:
    users = draw(st.integers(1, 3))
    by_user = st.lists(LIST, min_size=users, max_size=users)
    channels = [
        Channel(f"c{number}", Lists(draw(by_user)), draw(st.integers(1, ITEMS)))
        for number in range(draw(st.integers(1, 3)))
    ]
    seen = [sorted(draw(st.sets(st.integers(1, ITEMS), max_size=3))) for _ in range(users)]
    return channels, Request({"user_id": torch.arange(users), "seen": padded_ids(seen, 4)})


def naive(channels: list[Channel], request: Request, user: int, total: int | None) -> list[tuple[int, int]]:
    """Items and their sources: best place first, of equal places the earlier channel's."""
    seen = int((request.features["seen"][user] > 0).sum())
    found: dict[int, tuple[int, int, int]] = {}
    for number, channel in enumerate(channels):
        for place, item in enumerate(channel.model.found[user][: channel.quota + seen]):
            best, first, source = found.get(item, (place, number, 0))
            found[item] = (*min((best, first), (place, number)), source | 1 << number)
    order = sorted(found, key=lambda item: found[item][:2])
    return [(item, found[item][2]) for item in order][:total]


@settings(max_examples=80, deadline=None)
@given(worlds(), st.none() | st.integers(1, ITEMS))
def test_items_come_at_their_best_place_with_all_sources(
    case: tuple[list[Channel], Request], total: int | None
) -> None:
    channels, request = case
    merged = Merge(total)(request, Recall(channels)(request, Candidates.empty(len(request))))
    for user in range(len(request)):
        pairs = zip(merged.ids[user].tolist(), merged.source[user].tolist(), strict=True)
        assert [(item, source) for item, source in pairs if item] == naive(channels, request, user, total)
    assert merged.ids.shape[1] == max(
        len(naive(channels, request, user, total)) for user in range(len(request))
    )


@settings(max_examples=40, deadline=None)
@given(worlds())
def test_a_users_list_does_not_depend_on_the_batch(case: tuple[list[Channel], Request]) -> None:
    channels, request = case
    recall, merge = Recall(channels), Merge(5)
    together = merge(request, recall(request, Candidates.empty(len(request))))
    for user in range(len(request)):
        one = request.rows(slice(user, user + 1))
        alone = merge(one, recall(one, Candidates.empty(1)))
        width = alone.ids.shape[1]
        assert alone.ids[0].equal(together.ids[user, :width]) and not together.ids[user, width:].any()


def test_channels_stand_side_by_side_before_the_merge() -> None:
    channels = [Channel("a", Lists([[3, 1, 2]]), 2), Channel("b", Lists([[1, 3]]), 2)]
    request = Request({"user_id": torch.zeros(1, dtype=torch.int64)})  # nothing is said of what was seen
    found = Recall(channels)(request, Candidates.empty(1))
    assert found.ids.tolist() == [[3, 1, 1, 3]] and found.source.tolist() == [[1, 1, 2, 2]]
    assert found.scores.tolist() == [[0, -1, 0, -1]]
    merged = Merge()(request, found)
    assert merged.ids.tolist() == [[3, 1]] and merged.source.tolist() == [[3, 3]]


def test_what_came_before_is_kept_and_nobody_gets_nothing() -> None:
    request = Request({"user_id": torch.zeros(1, dtype=torch.int64)})
    before = Candidates.of(torch.tensor([[7]]), torch.tensor([[5.0]]), 5)
    found = Merge()(request, Recall([Channel("a", Lists([[1]]), 1)])(request, before))
    assert found.ids.tolist() == [[7, 1]] and found.source.tolist() == [[32, 1]]
    none = request.rows(slice(0, 0))
    assert Merge()(none, Recall([Channel("a", Lists([[1]]), 1)])(none, Candidates.empty(0))).ids.shape == (
        0,
        0,
    )

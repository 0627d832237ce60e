"""Sampled histories, seeds and noise, against loops."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tiny
from zoo.core.errors import UserError
from zoo.core.schema import Schema
from zoo.layers.diversity import (
    Diversity,
    DiversityConfig,
    category_entropy,
    draw_seeds,
    mean_cosine,
    newest_and_sampled,
)
from zoo.layers.seeded import row_key

N_ITEMS = 12
CATEGORY = torch.tensor([0, *(1 + item % 3 for item in range(N_ITEMS))])
ROWS = st.lists(st.lists(st.integers(1, N_ITEMS), max_size=9), min_size=1, max_size=4)


def histories(rows: list[list[int]]) -> torch.Tensor:
    return torch.tensor([[*row, *[0] * (9 - len(row))] for row in rows], dtype=torch.int64)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 4), st.integers(0, 5), st.booleans(), st.integers(0, 3))
def test_the_newest_stay_and_so_many_of_the_rest(rows, newest, sampled, balanced, seed) -> None:
    history = histories(rows)
    key = row_key([history], seed)
    found = newest_and_sampled(history, newest, sampled, key, CATEGORY if balanced else None)
    for row, kept, alone in zip(rows, found.tolist(), history, strict=True):
        older = [item for item in kept[newest : len(row)] if item]
        assert kept[: min(newest, len(row))] == row[:newest] and not any(kept[len(row) :])
        assert len(older) == min(sampled, max(len(row) - newest, 0))
        assert all(k in (0, own) for k, own in zip(kept, row, strict=False))
        if balanced:
            assert_balanced([int(CATEGORY[i]) for i in older], [int(CATEGORY[i]) for i in row[newest:]])
        one = alone[None]
        again = newest_and_sampled(one, newest, sampled, row_key([one], seed), CATEGORY if balanced else None)
        assert again[0].tolist() == kept


def assert_balanced(chosen: list[int], all_: list[int]) -> None:
    """No category has two more than one that still had some left."""
    got, had = Counter(chosen), Counter(all_)
    for kind in had:
        if got[kind] < had[kind]:
            assert all(got[other] <= got[kind] + 1 for other in got)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(1, 6), st.integers(0, 3))
def test_seeds_are_distinct_and_balanced(rows, count, seed) -> None:
    history = histories(rows)
    found = draw_seeds(history, CATEGORY, count, row_key([history], seed))
    assert found.shape == (len(rows), count)
    for row, ids in zip(rows, found.tolist(), strict=True):
        distinct = list(dict.fromkeys(row))
        seeds = [item for item in ids if item]
        assert len(seeds) == len(set(seeds)) == min(count, len(distinct)) and set(seeds) <= set(row)
        assert seeds == [item for item in distinct if item in seeds] and not any(ids[len(seeds) :])
        assert_balanced([int(CATEGORY[i]) for i in seeds], [int(CATEGORY[i]) for i in distinct])


def test_every_event_has_its_chance() -> None:
    history = torch.tensor([[1, 2, 3, 5, 6, 8, 9, 4]]).expand(3000, -1)  # categories 1 2 3 2 3 2 3 1
    key = row_key([torch.arange(1, 3001)])
    uniform = newest_and_sampled(history, 2, 3, key)
    assert (uniform[:, :2] > 0).all()
    assert (uniform[:, 2:] > 0).float().mean(0).tolist() == pytest.approx([0.5] * 6, abs=0.04)
    balanced = newest_and_sampled(history, 2, 3, key, CATEGORY)
    # One of each category: of 3, 6 and 9, of 5 and 8, and 4 alone.
    expected = [1 / 3, 1 / 2, 1 / 3, 1 / 2, 1 / 3, 1]
    assert (balanced[:, 2:] > 0).float().mean(0).tolist() == pytest.approx(expected, abs=0.04)


def test_narrowness_is_that_of_a_loop() -> None:
    vectors = torch.nn.functional.normalize(
        torch.randn(N_ITEMS + 1, 4, generator=torch.manual_seed(0)), dim=1
    )
    rows = [[1, 2, 3], [4, 4], [5], [], [7, 9, 7, 2]]
    found, entropy = mean_cosine(vectors, histories(rows)), category_entropy(CATEGORY[histories(rows)], 3)
    for row, narrow, spread in zip(rows, found.tolist(), entropy.tolist(), strict=True):
        cosines = [float(vectors[a] @ vectors[b]) for i, a in enumerate(row) for b in row[:i]]
        assert narrow == pytest.approx(max(np.mean(cosines), 0) if cosines else 0, abs=1e-5)
        counts = np.array(list(Counter(CATEGORY[row].tolist()).values()))
        share = counts / max(counts.sum(), 1)
        assert spread == pytest.approx(-(share * np.log(share)).sum() / np.log(3) if row else 1, abs=1e-5)


def test_noise_is_stronger_for_narrow_interests_and_the_same_at_every_serving() -> None:
    schema = tiny.snapshot().schema
    layer = Diversity(schema, ["history:watch"], 20, DiversityConfig(noise=0.5))
    vectors = torch.nn.functional.normalize(
        torch.randn(tiny.ITEMS + 1, 16, generator=torch.manual_seed(0)), dim=1
    )
    draw = torch.Generator().manual_seed(1)
    wide = torch.randint(1, tiny.ITEMS + 1, (200, 6), generator=draw)
    narrow = wide[:, :1].expand(-1, 6).clone()
    user = torch.nn.functional.normalize(torch.randn(200, 16, generator=draw), dim=1)
    moved = []
    for history in (wide, narrow):
        batch = {"history:watch": history, "user_id": torch.arange(200), "hour": torch.ones(200).long()}
        found = layer.perturbed(user, batch, vectors)
        assert torch.allclose(found.norm(dim=1), torch.ones(200), atol=1e-5)
        one = {name: value[7:8] for name, value in batch.items()}
        assert torch.allclose(layer.perturbed(user[7:8], one, vectors), found[7:8])
        moved.append((found - user).norm(dim=1).mean().item())
    # A vector of length .5 in 16 dimensions, nearly orthogonal to the user's: the angle is near atan(.5).
    assert moved[0] < 0.1 and moved[1] == pytest.approx(2 * np.sin(np.arctan(0.5) / 2), abs=0.05)
    off = Diversity(schema, ["history:watch"], 20, DiversityConfig())
    assert off.perturbed(user, {}, vectors) is user


def test_the_category_is_a_feature_of_the_items() -> None:
    schema, sequence = tiny.snapshot().schema, ["history:watch"]
    layer = Diversity(schema, sequence, 20, DiversityConfig(newest=1, sampled=2, balanced=True))
    assert layer.feature == "genres"
    batch = {"history:watch": torch.tensor([[1, 2, 3]])}
    with pytest.raises(UserError, match="attach_catalogue or prepare first"):
        layer.histories(batch)
    layer.attach(tiny.snapshot().catalogue)
    assert layer.histories(batch)[0].tolist() == [[1, 2, 3]]
    with pytest.raises(UserError, match=r"no categorical item feature 'genre'.*genres"):
        Diversity(schema, sequence, 20, DiversityConfig(newest=1, sampled=1, balanced=True, category="genre"))
    bare = Schema(tuple(f for f in schema if f.role != "item"))
    with pytest.raises(UserError, match="no categorical feature"):
        Diversity(bare, sequence, 20, DiversityConfig(noise=0.1, narrowness="category"))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"noise": -1.0}, "noise"),
        ({"newest": -1}, "newest"),
        ({"newest": 0}, "newest"),
        ({"newest": 1, "sampled": -1}, "sampled"),
        ({"sampled": 3}, "sampled"),
    ],
)
def test_a_senseless_option_names_itself(options: dict[str, float], field: str) -> None:
    with pytest.raises(ValueError, match=rf"(^|\n){field} "):
        DiversityConfig(**options)

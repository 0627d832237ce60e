"""Draws of a request against SplitMix64 in Python's own integers, and scipy."""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from zoo.layers.seeded import mix, normals, row_key, uniforms

MASK = 2**64 - 1


def mixed(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def test_the_finaliser_is_that_of_splitmix64() -> None:
    # The published first output of SplitMix64 for the state 0: the finaliser of the golden ratio.
    assert mixed(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF
    numbers = [0, 1, -1, 2**63 - 1, -(2**63), 123456789, 0x9E3779B97F4A7C15 - 2**64]
    assert [x & MASK for x in mix(torch.tensor(numbers)).tolist()] == [mixed(x & MASK) for x in numbers]


def test_draws_are_uniform_and_normal_and_of_their_row_alone() -> None:
    key = row_key([torch.arange(1, 201)])
    uniform, normal = uniforms(key, 50), normals(key, 50)
    assert stats.kstest(uniform.flatten().numpy(), "uniform").pvalue > 0.01
    assert stats.kstest(normal.flatten().numpy(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(uniform.numpy(), rowvar=False) - np.eye(50)).max() < 0.35
    assert uniforms(key[7:8], 20).equal(uniform[7:8, :20])
    assert uniform.min() > 0 and uniform.max() < 1


def test_a_key_sees_ids_their_places_and_the_seed_but_no_padding() -> None:
    history, user = torch.tensor([[3, 5, 0], [5, 3, 0], [3, 5, 0]]), torch.tensor([1, 1, 2])
    key = row_key([history, user])
    assert len(key.unique()) == 3
    assert key.equal(row_key([torch.cat([history, torch.zeros(3, 9, dtype=torch.int64)], 1), user]))
    assert key[1:].equal(row_key([history[1:], user[1:]]))
    assert not (key == row_key([history, user], seed=1)).any()
    assert row_key([history[:0], user[:0]]).shape == (0,)

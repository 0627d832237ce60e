"""Paths, their probabilities and what is remembered of them, against loops."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import torch

from zoo.layers.paths import PathNetwork, PathScores, paths_of_vectors

WIDTH, DEPTH = 4, 3


def network(seed: int = 0) -> PathNetwork:
    torch.manual_seed(seed)
    made = PathNetwork(5, WIDTH, DEPTH, 6)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


def by_hand(made: PathNetwork, user: np.ndarray, nodes: list[int]) -> float:
    """log p of one path, each layer an MLP over the user and the embeddings of the nodes before."""
    weights = {name: value.detach().double().numpy() for name, value in made.named_parameters()}
    total = 0.0
    for d, node in enumerate(nodes):
        hidden = weights[f"user.{d}.weight"] @ user + weights[f"user.{d}.bias"]
        for m, before in enumerate(nodes[:d]):
            hidden = hidden + weights[f"nodes.{d - 1}.weight"][m * WIDTH + before]
        logits = weights[f"out.{d}.weight"] @ np.maximum(hidden, 0) + weights[f"out.{d}.bias"]
        total += logits[node] - np.log(np.exp(logits).sum())
    return total


def test_a_code_is_its_nodes_in_base_k() -> None:
    made = network()
    assert made.digits(torch.tensor([0, 27, 63])).tolist() == [[0, 0, 0], [1, 2, 3], [3, 3, 3]]
    assert made.digits(torch.tensor([6]), 2).tolist() == [[1, 2]]


def test_probabilities_are_those_of_the_layers_and_sum_to_1() -> None:
    made, users = network(), torch.randn(3, 5)
    codes = torch.arange(WIDTH**DEPTH).expand(3, -1)
    found = made.log_probability(users, codes).detach()
    assert torch.allclose(found.logsumexp(1), torch.zeros(3), atol=1e-5)
    for row, code in ((0, 0), (1, 27), (2, 63), (2, 18)):
        nodes = [code // 16, code // 4 % 4, code % 4]
        assert found[row, code].item() == pytest.approx(
            by_hand(made, users[row].double().numpy(), nodes), abs=1e-4
        )


def test_a_full_beam_finds_what_trying_all_paths_finds() -> None:
    made, users = network(), torch.randn(6, 5)
    every = made.log_probability(users, torch.arange(WIDTH**DEPTH).expand(6, -1)).detach()
    expected = every.sort(dim=1, descending=True)
    for size in (WIDTH**DEPTH, 10**6):
        codes, total = made.beam(users, size)
        assert codes.equal(expected.indices) and torch.allclose(total, expected.values, atol=1e-5)
    # WIDTH^(DEPTH - 1) prefixes are all there are, so a beam as wide as that loses nothing either.
    codes, total = made.beam(users, WIDTH ** (DEPTH - 1))
    assert codes.equal(expected.indices[:, :16])


def test_a_narrow_beam_keeps_the_best_prefixes_only() -> None:
    made, users = network(1), torch.randn(20, 5)
    codes, total = made.beam(users, 3)
    assert torch.allclose(total, made.log_probability(users, codes), atol=1e-5)
    one, step = made.beam(users, 1)[0], torch.zeros(20, 1, dtype=torch.int64)
    for d in range(DEPTH):
        step = step * WIDTH + made._step(d, users, made.digits(step, d)).argmax(2)
    assert one.equal(step)


@pytest.mark.parametrize("size", [2, 4, 30])
def test_scores_are_those_of_a_stream_batch_by_batch(size: int) -> None:
    draw = torch.Generator().manual_seed(size)
    scores, lists = PathScores(6, size, 0.9), defaultdict(dict)
    for _ in range(12):
        items = torch.randint(1, 6, (7,), generator=draw)
        codes = torch.rand(7, 9, generator=draw).argsort(1)[:, :4]
        codes[torch.rand(7, 4, generator=draw) < 0.2] = -1
        probability = torch.rand(7, 4, generator=draw)
        scores.update(items, codes, probability)
        for item in set(items.tolist()):
            clicks = [i for i, other in enumerate(items.tolist()) if other == item]
            own = {code: value * 0.9 ** len(clicks) for code, value in lists[item].items()}
            floor = min(own.values()) if len(own) == size else 0.0
            for i in clicks:
                for code, value in zip(codes[i].tolist(), probability[i].tolist(), strict=True):
                    if code >= 0:
                        own[code] = own.get(code, floor) + value
            lists[item] = dict(sorted(own.items(), key=lambda pair: -pair[1])[:size])
    for item in range(6):
        found = zip(scores.codes[item].tolist(), scores.values[item].tolist(), strict=True)
        kept = {code: value for code, value in found if code >= 0}
        assert kept == pytest.approx(lists[item], rel=1e-5)
        assert len(kept) == len(lists[item])


def test_with_room_for_all_scores_are_plain_sums() -> None:
    scores = PathScores(3, 8, 1.0)
    scores.update(torch.tensor([2, 1, 2]), torch.tensor([[5, 3], [5, -1], [3, 7]]), torch.ones(3, 2) / 4)
    assert dict(zip(scores.codes[2].tolist(), scores.values[2].tolist(), strict=True)) == {
        3: 0.5, 5: 0.25, 7: 0.25, -1: 0.0,
    }  # fmt: skip
    assert not scores.values[0].any()


def test_near_vectors_get_paths_that_begin_alike() -> None:
    torch.manual_seed(0)
    centres = torch.eye(4) * 10
    vectors = centres.repeat_interleave(25, 0) + torch.randn(100, 4)
    codes = paths_of_vectors(vectors, width=4, depth=3, count=2)
    assert codes.shape == (100, 2) and (codes[:, 0] != codes[:, 1]).all()
    assert codes.min() >= 0 and codes.max() < 4**3
    first = codes[:, 0] // 16
    groups = [set(part.tolist()) for part in first.split(25)]
    assert all(len(group) == 1 for group in groups) and len(set.union(*groups)) == 4


def test_few_vectors_are_enough() -> None:
    codes = paths_of_vectors(torch.randn(3, 2), width=5, depth=2, count=5)
    assert all(len(set(own)) == 5 for own in codes.tolist())

"""The graph itself: it is searched, repeats, and never fails on unreachable nodes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.index import create_index
from zoo.index.base import VectorIndex


def clustered(n: int, dim: int, seed: int = 0) -> Tensor:
    """Around a far-off mean, where a plain inner-product graph reaches few vectors."""
    generator = torch.Generator().manual_seed(seed)
    length = torch.randn(n, 1, generator=generator).mul(0.5).exp()
    return (torch.randn(n, dim, generator=generator) * 0.3 + 0.5) * length


def built(items: Tensor, **options: object) -> VectorIndex:
    index = create_index("hnswlib", **options)
    index.build(items, torch.arange(1, len(items) + 1))
    return index


@pytest.mark.parametrize("metric", ["inner_product", "cosine", "l2"])
def test_graph_finds_nearly_all_and_more_with_a_wider_beam(metric: str) -> None:
    items, queries = clustered(2000, 16), clustered(100, 16, seed=1)
    recall = [built(items, metric=metric, ef_search=ef).recall_against_exact(queries, 10) for ef in (10, 200)]
    assert recall[0]["recall"] <= recall[1]["recall"]
    assert recall[1]["recall"] > 0.98


def test_a_shared_mean_does_not_cut_off_vectors_from_opposed_queries() -> None:
    index = built(clustered(2000, 16), ef_search=500)
    queries = torch.randn(100, 16, generator=torch.Generator().manual_seed(1))
    assert index.recall_against_exact(queries, 50)["recall"] > 0.9


def test_inner_product_never_fails_up_to_k_equal_to_n() -> None:
    items = torch.cat([clustered(300, 8), torch.zeros(50, 8), clustered(1, 8).expand(50, 8)])
    index = built(items, ef_search=1)
    queries = torch.randn(30, 8, generator=torch.Generator().manual_seed(2))
    for k in (1, 200, 390, 399, 400, 500):
        ids, scores = index.search(queries, k)
        assert (ids[:, : min(k, 400)] > 0).all()
        assert all(len(set(row.tolist())) == min(k, 400) for row in ids[:, :400])
        assert (scores.diff(dim=1).nan_to_num() <= 0).all()


def test_equal_scores_of_the_graph_go_by_lower_id() -> None:
    ids, _ = built(torch.ones(60, 4), ef_search=10).search(torch.ones(3, 4), 8)
    assert ids.equal(ids.sort(dim=1).values)


def test_queries_that_reach_too_few_nodes_do_not_change_the_others() -> None:
    items, queries = clustered(400, 8), clustered(6, 8, seed=3)
    index = built(items, ef_search=1)
    alone = [index.search(query, 20)[0] for query in queries.split(1)]

    class Failing:
        """A graph in which the third query reaches too little."""

        def __init__(self, graph: object) -> None:
            self.set_ef, self.query = graph.set_ef, graph.knn_query

        def knn_query(self, rows: object, k: int, num_threads: int) -> object:
            if (torch.from_numpy(rows) == queries[2]).all(dim=1).any():
                raise RuntimeError("Cannot return the results in a contiguous 2D array")
            return self.query(rows, k, num_threads=num_threads)

    index._graph = Failing(index._graph)
    ids, _ = index.search(queries, 20)
    exact = create_index("exact")
    exact.build(items, torch.arange(1, 401))
    assert ids[2:3].equal(exact.search(queries[2:3], 20)[0])
    assert all(ids[row : row + 1].equal(alone[row]) for row in (0, 1, 3, 4, 5))


def test_the_same_seed_makes_the_same_graph() -> None:
    items, queries = clustered(1500, 16), clustered(50, 16, seed=1)
    first, second = (built(items, ef_search=20).search(queries, 20) for _ in range(2))
    assert first[0].equal(second[0])


@pytest.mark.parametrize(
    ("option", "value"), [("M", 1), ("ef_search", 0), ("threads", 0), ("seed", -1), ("M", 8.5)]
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(UserError, match=f"{option} must be an integer"):
        create_index("hnswlib", **{option: value})

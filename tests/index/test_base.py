"""What every index must do, run over all adapters."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.index.kinds import FULL, KINDS, create
from zoo.core.errors import UserError
from zoo.index import VectorIndex, create_index, load_index

METRICS = ["inner_product", "cosine", "l2"]


def vectors(n: int = 300, dim: int = 8, seed: int = 0) -> Tensor:
    """Vectors that share a mean and differ in length, as learned item embeddings do."""
    generator = torch.Generator().manual_seed(seed)
    length = torch.rand(n, 1, generator=generator) * 2 + 0.2
    return (torch.randn(n, dim, generator=generator) + 1) * length


def naive_scores(queries: Tensor, items: Tensor, metric: str) -> np.ndarray:
    q, x = queries.double().numpy(), items.double().numpy()
    if metric == "l2":
        return -((q[:, None] - x[None]) ** 2).sum(axis=2)
    if metric == "cosine":
        q, x = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (q, x))
    return q @ x.T


def built(name: str, n: int = 300, **options: object) -> VectorIndex:
    index = create(name, **options)
    index.build(vectors(n), torch.arange(n) * 2 + 1)
    return index


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", KINDS)
def test_full_effort_equals_naive_numpy(name: str, metric: str) -> None:
    options = FULL.get(name, {})
    queries = vectors(20, seed=1)
    expected = naive_scores(queries, vectors(), metric)
    ids, scores = built(name, metric=metric, **options).search(queries, 50)
    order = np.argsort(-expected, axis=1)[:, :50]
    assert ids.dtype == torch.int64
    np.testing.assert_array_equal(ids, order * 2 + 1)
    np.testing.assert_allclose(scores, np.take_along_axis(expected, order, 1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", KINDS)
def test_numpy_or_torch_in_any_order_of_ids_is_the_same(name: str) -> None:
    queries = vectors(5, seed=1)
    other = create(name)
    other.build(vectors().numpy()[::-1].copy(), (np.arange(300) * 2 + 1)[::-1].copy())
    for a, b in zip(built(name).search(queries, 7), other.search(queries.numpy(), 7), strict=True):
        assert a.equal(b)


@pytest.mark.parametrize("name", KINDS)
def test_fewer_items_than_k_are_padded(name: str) -> None:
    ids, scores = built(name, n=3).search(vectors(2, seed=1), 5)
    assert (ids[:, :3] > 0).all() and (ids[:, 3:] == 0).all()
    assert scores[:, :3].isfinite().all() and (scores[:, 3:] == -torch.inf).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", KINDS)
def test_equal_scores_go_by_lower_id(name: str, metric: str) -> None:
    index = create(name, metric=metric)
    index.build(torch.ones(6, 4), torch.tensor([9, 4, 7, 1, 8, 2]))
    ids, _ = index.search(torch.ones(1, 4), 4)
    assert ids.tolist() == [[1, 2, 4, 7]]


@pytest.mark.parametrize("name", KINDS)
def test_a_batch_equals_its_rows(name: str) -> None:
    queries = vectors(20, seed=1)
    index = built(name)
    ids, _ = index.search(queries, 10)
    assert torch.cat([index.search(query, 10)[0] for query in queries.split(1)]).equal(ids)


@pytest.mark.parametrize("name", KINDS)
def test_no_queries_find_nothing(name: str) -> None:
    ids, scores = built(name).search(torch.zeros(0, 8), 3)
    assert ids.shape == scores.shape == (0, 3)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", KINDS)
def test_save_and_load_search_alike(name: str, metric: str, tmp_path: Path) -> None:
    index, queries = built(name, metric=metric), vectors(20, seed=1)
    index.save(tmp_path / "index")
    loaded = load_index(tmp_path / "index")
    assert type(loaded) is type(index) and len(loaded) == 300 and loaded.metric == metric
    for a, b in zip(loaded.search(queries, 10), index.search(queries, 10), strict=True):
        assert a.equal(b)
    assert not [path.name for path in (tmp_path / "index").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", KINDS)
def test_stats_and_recall_report(name: str) -> None:
    index = built(name)
    index.search(vectors(4, seed=1), 5)
    index.search(vectors(6, seed=1), 5)
    assert index.stats["build_seconds"] > 0 and index.stats["search_seconds"] > 0
    assert index.stats["queries"] == 10 and index.stats["bytes"] >= 300 * 8 * 4
    report = index.recall_against_exact(vectors(50, seed=1), 10)
    assert report["recall"] >= (1 if name == "exact" else 0.95)
    assert report["k"] == 10 and report["queries"] == 50


@pytest.mark.parametrize("name", KINDS)
def test_mistakes_are_one_clear_line(name: str, tmp_path: Path) -> None:
    index, empty, bad = built(name), create(name), vectors(3)
    bad[1, 2] = torch.nan
    for message, mistake in {
        "dimension 5, expected 8": lambda: index.search(torch.zeros(1, 5), 3),
        "expected 2 dimensions": lambda: index.search(torch.zeros(8), 3),
        "k must be at least 1, found 0": lambda: index.search(vectors(1), 0),
        "queries hold NaN or infinity, first in row 1": lambda: index.search(bad, 1),
        "vectors hold NaN or infinity, first in row 1": lambda: empty.build(bad, torch.arange(1, 4)),
        "N at least 1": lambda: empty.build(torch.zeros(0, 8), torch.arange(0)),
        r"ids \(2,\)": lambda: empty.build(vectors(3), torch.arange(1, 3)),
        "ids must be distinct": lambda: empty.build(vectors(2), torch.tensor([4, 4])),
        "0 is padding": lambda: empty.build(vectors(2), torch.tensor([0, 1])),
        "is empty": lambda: empty.search(vectors(1), 1),
        "empty, build it first": lambda: empty.save(tmp_path),
        "'cosin' .did you mean 'cosine'": lambda: create(name, metric="cosin"),
        "'metrc' .did you mean 'metric'": lambda: create(name, metrc="cosine"),
    }.items():
        with pytest.raises(UserError, match=message) as error:
            mistake()
        assert "\n" not in str(error.value)


def test_unknown_index_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"'hnswlb' \(did you mean 'hnswlib'\?\)"):
        create_index("hnswlb")


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = {"hnswlib": "hnswlib", "faiss": r"'funnelzoo\[faiss\]'", "milvus": r"'funnelzoo\[milvus\]'"}
    for name, package in {"hnswlib": "hnswlib", "faiss": "faiss", "milvus": "pymilvus"}.items():
        monkeypatch.delitem(sys.modules, f"zoo.index.{name}", raising=False)
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(UserError, match=f"pip install {extras[name]}"):
            create_index(name)


def test_importing_the_package_loads_no_adapter() -> None:
    code = "import sys, zoo.index, zoo.metrics, zoo.losses; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"hnswlib", "faiss", "pymilvus", "numba", "lightning", "pytorch_lightning"} & set(
        loaded.split()
    )


@pytest.mark.parametrize("name", KINDS)
def test_damaged_folders_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected the description of a saved index"):
        load_index(tmp_path)
    built(name).save(tmp_path)
    description = json.loads((tmp_path / "index.json").read_text())
    for change in ({"format": 99}, {"options": {"no_such": 1}}):
        (tmp_path / "index.json").write_text(json.dumps({**description, **change}))
        with pytest.raises(UserError, match="expected a saved index"):
            load_index(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps(description))
    for path in tmp_path.iterdir():
        if path.suffix != ".json":
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2])
            with pytest.raises(UserError, match="expected a saved index"):
                load_index(tmp_path)
            path.write_bytes(content)

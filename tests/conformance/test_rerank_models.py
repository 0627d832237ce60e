"""What holds for every reranker."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests import tiny
from tests.conformance.setting import Case, candidates, fitted, longer, models, request
from zoo.core.types import Candidates, Request
from zoo.training import RerankModel

KEEPS = pytest.mark.parametrize("keep", [1, 5, 12, 100])


def rerank(
    case: Case, keep: int, asked: Request | None = None, given: Candidates | None = None
) -> Candidates:
    model = fitted(case)
    assert isinstance(model, RerankModel)
    return model(asked or request(), given or candidates(), keep)


@KEEPS
@models("rerank")
def test_a_list_is_made_of_the_candidates(case: Case, keep: int) -> None:
    found, given = rerank(case, keep), candidates()
    assert found.ids.shape[1] == min(keep, given.ids.shape[1])
    for row in range(len(request())):
        before = {
            int(i): (float(s), int(c))
            for i, s, c in zip(given.ids[row], given.scores[row], given.source[row], strict=True)
            if i
        }
        items = [int(i) for i in found.ids[row] if i]
        assert len(items) == len(set(items)) == min(keep, len(before)) and set(items) <= before.keys()
        # Padding comes last, and everything about an item comes along.
        assert not found.ids[row, len(items) :].any()
        after = zip(found.scores[row].tolist(), found.source[row].tolist(), strict=True)
        assert [before[item] for item in items] == list(after)[: len(items)]


@KEEPS
@models("rerank")
def test_more_padding_changes_nothing(case: Case, keep: int) -> None:
    given = candidates()
    wider = Candidates.of(F.pad(given.ids, (0, 3)), F.pad(given.scores, (0, 3), value=99.0), 0)
    found = rerank(case, keep, Request(longer(request().features)), wider)
    expected = rerank(case, keep)
    assert found.ids[:, : expected.ids.shape[1]].equal(expected.ids)
    assert not found.ids[:, expected.ids.shape[1] :].any()


@KEEPS
@models("rerank")
def test_a_batch_is_its_rows_one_by_one(case: Case, keep: int) -> None:
    together = rerank(case, keep)
    for row in range(len(request())):
        given = candidates()
        one = Candidates(*(x[row : row + 1] for x in (given.ids, given.scores, given.source)))
        assert rerank(case, keep, request().rows(slice(row, row + 1)), one).ids[0].equal(together.ids[row])


@models("rerank")
def test_a_shorter_list_is_the_start_of_a_longer_one(case: Case) -> None:
    assert rerank(case, 4).ids.equal(rerank(case, 9).ids[:, :4])


@models("rerank")
def test_no_candidates_are_no_list(case: Case) -> None:
    assert rerank(case, 5, None, Candidates.empty(len(request()))).ids.shape == (len(request()), 0)
    nobody = request().rows(slice(0, 0))
    assert rerank(case, 5, nobody, Candidates.of(torch.zeros(0, 6, dtype=torch.int64))).ids.shape == (0, 5)


@models("rerank")
def test_columns_come_along(case: Case) -> None:
    marked = candidates().with_columns(twice=candidates().ids * 2)
    found = rerank(case, 5, None, marked)
    assert found.columns["twice"].equal(found.ids * 2) and found.ids.max() <= tiny.ITEMS

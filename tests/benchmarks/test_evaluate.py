from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score
from tiny_world import PROTOCOL

from benchmarks.evaluate import (
    Measured,
    add_diversity,
    add_ranking,
    add_survival,
    add_tail,
    add_unique_finds,
)
from benchmarks.evaluate_tasks import add_tasks
from benchmarks.intervals import bootstrap_weights
from zoo.core.errors import UserError
from zoo.core.schema import Feature, Schema, Task
from zoo.core.types import Candidates

DRAW = np.random.default_rng(0)
USERS, LIST, ITEMS = 12, 20, 60
IDS = torch.from_numpy(np.stack([DRAW.permutation(ITEMS)[:LIST] + 1 for _ in range(USERS)]))
TARGETS = torch.from_numpy(np.stack([DRAW.permutation(ITEMS)[:6] + 1 for _ in range(USERS)]))
TARGETS[:, 4:] = 0
TARGETS[0] = 0  # a user without a target


def test_ranking_equals_a_loop_over_users_and_segments_split_them() -> None:
    measured, new = Measured(), torch.arange(USERS) % 3 == 0
    add_ranking(measured, IDS, TARGETS, PROTOCOL, {"new_users": new})
    for u in range(1, USERS):
        top, wanted = IDS[u, :5].tolist(), {t for t in TARGETS[u].tolist() if t}
        assert measured.arrays["user/recall@5"][u] == pytest.approx(len(wanted & set(top)) / len(wanted))
        gains = sum(1 / np.log2(r + 2) for r, x in enumerate(IDS[u, :10].tolist()) if x in wanted)
        ideal = sum(1 / np.log2(r + 2) for r in range(min(10, len(wanted))))
        assert measured.arrays["user/ndcg@10"][u] == pytest.approx(gains / ideal, abs=1e-6)
    assert np.isnan(measured.arrays["user/recall@5"][0])
    part = measured.arrays["user/recall@5"][1:][new[1:].numpy()]
    assert measured.metrics["new_users/recall@5"].mean == pytest.approx(part.mean(), abs=1e-6)
    assert "recall@100" not in measured.metrics


def test_the_tail_is_the_less_popular_half() -> None:
    counts = torch.from_numpy(np.random.default_rng(3).integers(0, 9, ITEMS + 1))
    measured = Measured()
    add_tail(measured, IDS, TARGETS, counts, PROTOCOL)
    order = sorted(range(1, ITEMS + 1), key=lambda item: (-counts[item], item))
    tail = set(order[len(order) // 2 :])
    for u in range(USERS):
        wanted, found = {t for t in TARGETS[u].tolist() if t} & tail, measured.arrays["user/tail/recall@5"][u]
        if wanted:
            assert found == pytest.approx(len(wanted & set(IDS[u, :5].tolist())) / len(wanted))
        else:
            assert np.isnan(found)


def test_tasks_equal_sklearn_also_under_every_resample_of_users() -> None:
    ids = torch.from_numpy(DRAW.integers(0, 3, (USERS, 9)))
    watch = torch.from_numpy(DRAW.integers(0, 2, (USERS, 9))).float()
    like = watch * torch.from_numpy(DRAW.integers(0, 2, (USERS, 9)))
    logits = {name: torch.from_numpy(DRAW.normal(size=(USERS, 9))).float() for name in ("watch", "like")}
    item = Feature("item_id", "item_id", "categorical", 4)
    measured = Measured()
    candidates = {"item_id": ids, "label:watch": watch, "label:like": like}
    add_tasks(measured, logits, candidates, Schema((item,), (Task("watch"), Task("like", "watch"))))
    rows = np.broadcast_to(np.arange(USERS)[:, None], ids.shape)
    for task, labels, mask in (("watch", watch, ids > 0), ("like", like, (ids > 0) & (watch > 0))):
        score, label, user = (np.asarray(x)[mask.numpy()] for x in (logits[task], labels, rows))
        probability = 1 / (1 + np.exp(-score.astype(float)))
        assert measured.metrics[f"auc/{task}"].mean == pytest.approx(roc_auc_score(label, score), abs=1e-6)
        assert measured.metrics[f"logloss/{task}"].mean == pytest.approx(
            log_loss(label, probability), abs=1e-5
        )
        assert measured.metrics[f"pcoc/{task}"].mean == pytest.approx(
            probability.sum() / label.sum(), abs=1e-5
        )
        for r in (0, 7):
            weight = bootstrap_weights(USERS)[r][user]
            again = roc_auc_score(label, score, sample_weight=weight)
            assert measured.arrays[f"boot/auc/{task}"][r] == pytest.approx(again, abs=1e-5)
            loss = log_loss(label, probability, sample_weight=weight)
            assert measured.arrays[f"boot/logloss/{task}"][r] == pytest.approx(loss, abs=1e-5)


def test_survival_and_unique_finds_equal_a_loop() -> None:
    source = torch.from_numpy(DRAW.integers(1, 4, IDS.shape))
    merged = Candidates(IDS, torch.zeros(IDS.shape), source)
    measured = Measured()
    add_survival(measured, {"merge": merged, "rank": merged.compact(5)}, TARGETS)
    add_unique_finds(measured, merged, TARGETS, ["a", "b"])
    for u in range(1, USERS):
        wanted = {t for t in TARGETS[u].tolist() if t}
        assert measured.arrays["user/survival/merge"][u] == pytest.approx(
            len(wanted & set(IDS[u].tolist())) / len(wanted)
        )
        for name, bit in (("a", 1), ("b", 2)):
            only = {x for x, s in zip(IDS[u].tolist(), source[u].tolist(), strict=True) if s == bit}
            found = measured.arrays[f"user/unique_finds/{name}"][u]
            assert found == pytest.approx(len(wanted & only) / len(wanted))


def test_diversity_of_one_list_for_all_and_of_lists_of_their_own() -> None:
    hot = torch.eye(4)[torch.arange(ITEMS + 1) % 4]
    same, own = Measured(), Measured()
    counts = torch.ones(ITEMS + 1)
    add_diversity(same, IDS[:1].expand(USERS, -1), hot, counts)
    add_diversity(own, IDS, hot, counts)
    assert same.metrics["coverage@20"].mean == pytest.approx(LIST / ITEMS)
    assert own.metrics["coverage@20"].mean == pytest.approx(len(set(IDS.flatten().tolist())) / ITEMS)
    assert own.metrics["gini@20"].mean < same.metrics["gini@20"].mean
    assert own.metrics["genre_entropy@20"].mean <= np.log(4) + 1e-6


def test_a_metric_that_is_defined_for_nobody_is_left_out() -> None:
    measured = Measured()
    measured.add_users("recall@20", torch.full((3,), torch.nan))
    assert not measured.metrics and not measured.arrays


def test_a_logit_that_is_no_number_is_refused_and_not_left_out() -> None:
    ids, logits = torch.ones(3, 2, dtype=torch.int64), torch.zeros(3, 2)
    logits[1, 1] = torch.nan
    schema = Schema((), (Task("click"),))
    with pytest.raises(UserError, match="1 of 6 logits of task 'click' are not finite numbers"):
        add_tasks(Measured(), {"click": logits}, {"item_id": ids, "label:click": torch.eye(3)[:, :2]}, schema)

"""Rows, boards and differences against hand-worked expectations."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.record import Interval
from leaderboard.aggregate import boards, comparisons, rows
from leaderboard.load import find, read
from tests.leaderboard.conftest import make_run


def load(folder):
    return rows(read(find(folder)))


def only(folder):
    (row,) = load(folder)
    return row


def test_a_row_averages_its_seeds(tmp_path):
    for seed in (0, 1, 2):
        run = make_run(tmp_path, "recall/item_cf", 0.3, seed=seed)
    row = only(tmp_path)
    assert [r.record.seed for r in row.runs] == [0, 1, 2]
    assert row.older == 0
    means = [r.record.metrics["recall@20"].mean for r in row.runs]
    interval = row.metrics["recall@20"]
    assert interval.mean == pytest.approx(sum(means) / 3)
    assert interval.lo < interval.mean < interval.hi
    assert row.metrics["latency_ms/p50"] == Interval(1.25, 1.25, 1.25)
    assert run.name in row.as_json()["record_ids"]


def test_json_shape(tmp_path):
    make_run(tmp_path, "recall/item_cf", 0.3, seed=4)
    row = only(tmp_path).as_json()
    names = ["entry", "model", "stage", "dataset", "protocol", "windows", "seeds", "metrics", "record_ids"]
    assert list(row) == names
    assert (row["entry"], row["stage"], row["seeds"]) == ("recall/item_cf", "recall", [4])
    assert row["metrics"]["latency_ms/p50"] == {"mean": 1.25, "lo": None, "hi": None}


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"lr": 2, "seed": 0}},
        {"dataset_fingerprint": "ffff"},
        {"protocol": "global-time@2/test"},
    ],
)
def test_only_the_newest_recipe_counts(tmp_path, change):
    for seed in (0, 1):
        make_run(tmp_path, "recall/item_cf", 0.1, seed=seed, created="2026-01-01T00:00:00Z")
    make_run(tmp_path, "recall/item_cf", 0.7, created="2026-02-01T00:00:00Z", **change)
    row = only(tmp_path)
    assert (len(row.runs), row.older) == (1, 2)
    assert row.metrics["recall@20"].mean > 0.7


def test_the_latest_of_duplicates_counts(tmp_path):
    for seed in (0, 1):
        make_run(
            tmp_path, "recall/item_cf", 0.1, seed=seed, created="2026-01-01T00:00:00Z", code_version="old"
        )
    make_run(tmp_path, "recall/item_cf", 0.7, seed=1, created="2026-02-01T00:00:00Z", code_version="new")
    row = only(tmp_path)
    assert [(r.record.seed, r.record.code_version) for r in row.runs] == [(0, "old"), (1, "new")]
    assert row.older == 1


def test_boards_come_in_funnel_order_with_the_best_first(runs):
    tables = boards(load(runs))
    assert [board.newest.stage for board in tables] == ["recall", "prerank", "rank", "funnel"]
    assert [row.newest.entry.split("/")[1] for row in tables[0].rows] == ["two_tower", "item_cf", "popular"]
    assert [board.metric for board in tables] == ["ndcg@10", "auc/click", "auc/click", "ndcg@10"]
    assert [tables[0].is_best(row, "ndcg@10") for row in tables[0].rows] == [True, False, False]
    assert not tables[3].is_best(tables[3].rows[0], "ndcg@10")


def test_what_cannot_be_compared_is_not_in_one_board(tmp_path):
    make_run(tmp_path, "recall/item_cf", 0.1)
    make_run(tmp_path, "recall/swing", 0.1, protocol="global-time@2/test")
    make_run(tmp_path, "recall/popular", 0.1, dataset_fingerprint="ffff")
    assert [len(board.rows) for board in boards(load(tmp_path))] == [1, 1, 1]


def test_a_row_without_the_ranking_metric_is_last(tmp_path):
    make_run(tmp_path, "recall/item_cf", 0.1)
    make_run(tmp_path, "recall/swing", 0.2)
    make_run(tmp_path, "recall/a", 0.9, metric="hit@20")
    (board,) = boards(load(tmp_path))
    assert [row.newest.entry for row in board.rows] == ["recall/swing", "recall/item_cf", "recall/a"]
    assert len(comparisons(board, board.rows)[0]) == 1


def test_differences_to_the_best_and_the_baseline(runs):
    table = load(runs)
    recall, prerank, rank, funnel = (comparisons(board, table) for board in boards(table))
    told = [[(c.entry, c.against, c.verdict) for c in group] for group in recall]
    best, middle, least = "recall/two_tower", "recall/item_cf", "recall/popular"
    assert told[0] == [(middle, best, "worse"), (least, best, "worse")]
    assert told[1] == [(best, least, "better"), (middle, least, "better")]
    assert [c.difference.mean for c in recall[0]] == pytest.approx([-0.2, -0.4])
    assert [(c.entry, c.against) for c in prerank[0]] == [("prerank/cold", "rank/lr")]
    assert [(c.entry, c.against) for c in rank[0]] == [("rank/lr", "rank/din")]
    assert {c.against: c.verdict for group in funnel for c in group} == {
        **{best: "worse", middle: "better", least: "better"},
    }


def test_a_difference_that_is_not_there(tmp_path):
    for entry in ("recall/popular", "recall/item_cf"):
        make_run(tmp_path, entry, 0.25)
    (board,) = boards(load(tmp_path))
    tables = comparisons(board, board.rows)
    assert [c.verdict for table in tables for c in table] == ["no difference shown"] * 2
    assert tables[0][0].difference == Interval(0, 0, 0)


def test_what_cannot_be_paired_is_said(tmp_path):
    other = {"requests": 7, "requests_with_target": 7, "new_users": 0}
    make_run(tmp_path, "recall/popular", 0.1)
    make_run(tmp_path, "recall/item_cf", 0.2, population=other)
    make_run(tmp_path, "recall/swing", 0.3, metric="mrr", more={"recall@20": Interval(0.01)})
    (board,) = boards(load(tmp_path))
    told = {(c.entry, c.against): c.verdict for group in comparisons(board, board.rows) for c in group}
    assert told == {
        ("recall/popular", "recall/item_cf"): "cannot be paired: not the same requests",
        ("recall/swing", "recall/item_cf"): "cannot be paired: not the same requests",
        ("recall/item_cf", "recall/popular"): "cannot be paired: not the same requests",
        ("recall/swing", "recall/popular"): "cannot tell: no values per request",
    }


def windows_of(folder, entry, levels, seeds=(0, 1)):
    for fold, level in enumerate(levels):
        for seed in seeds:
            config = {"model": entry, "seed": seed, "protocol": {"fold": fold}}
            protocol = f"back-test@1/test-{fold + 1}"
            make_run(folder, entry, level, seed=seed, protocol=protocol, config=config)


def test_windows_of_one_protocol_make_one_row_whose_interval_covers_them(tmp_path):
    levels = [0.1, 0.2, 0.3, 0.6]
    windows_of(tmp_path, "recall/item_cf", levels)
    row = only(tmp_path)
    assert len(row.windows) == 4 and row.as_json()["protocol"] == "back-test@1/test"
    values = [
        np.mean([r.record.metrics["recall@20"].mean for r in runs]) for _, runs in sorted(row.windows.items())
    ]
    interval = row.metrics["recall@20"]
    half = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) / 2
    assert interval.mean == pytest.approx(np.mean(values))
    assert (interval.lo, interval.hi) == pytest.approx(
        (np.mean(values) - half, np.mean(values) + half), rel=1e-3
    )


def test_a_difference_that_turns_between_windows_is_no_difference(tmp_path):
    windows_of(tmp_path, "recall/item_cf", [0.3, 0.3, 0.3])
    windows_of(tmp_path, "recall/two_tower", [0.2, 0.5, 0.35])
    (board,) = boards(load(tmp_path))
    assert len(board.rows) == 2
    (comparison,) = comparisons(board, load(tmp_path))[0]
    assert comparison.verdict == "no difference shown"
    assert comparison.difference.mean == pytest.approx(-0.05, abs=1e-6)


def test_a_difference_that_holds_in_every_window_is_one(tmp_path):
    windows_of(tmp_path, "recall/item_cf", [0.3, 0.1, 0.6])
    windows_of(tmp_path, "recall/two_tower", [0.41, 0.2, 0.71])
    (board,) = boards(load(tmp_path))
    (comparison,) = comparisons(board, load(tmp_path))[0]
    assert comparison.verdict == "worse"

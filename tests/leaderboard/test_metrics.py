"""What the leaderboard knows of metric keys."""

import pytest

from leaderboard.metrics import columns, merit, number


def test_columns_in_the_order_of_the_stage():
    present = ["train/seconds", "survival/rank", "auc/like", "auc/click", "gauc/click"]
    assert columns("rank", present) == ["auc/like", "auc/click", "gauc/click", "train/seconds"]


@pytest.mark.parametrize(
    ("metric", "better", "worse"),
    [
        ("recall@20", 0.3, 0.2),
        ("logloss/click", 0.2, 0.3),
        ("ece/click", 0.0, 0.1),
        ("latency_ms/rank/p99", 1, 2),
        ("train/peak_memory_mib", 1, 2),
        ("throughput/requests_per_s", 2, 1),
        ("pcoc/click", 1.1, 0.8),
        ("pcoc/click", 0.9, 1.2),
        ("new_users/logloss/click", 0.2, 0.3),
    ],
)
def test_merit(metric, better, worse):
    assert merit(metric, better) > merit(metric, worse)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("recall@20", 0.12345, "0.1235"),
        ("latency_ms/p50", 1.5, "1.50"),
        ("latency_ms/p50", 1234.5, "1,234"),
        ("unique_finds/item_cf", 31.0, "31"),
    ],
)
def test_number(metric, value, text):
    assert number(metric, value) == text

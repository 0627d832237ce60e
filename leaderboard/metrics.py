"""What the leaderboard knows of metric keys: which to show, which way is better, how to print one."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

COLUMNS = {
    "recall": (
        *("recall@20", "ndcg@10", "recall@50", "recall@100", "hit@20", "coverage@20"),
        *("new_users/recall@20", "latency_ms/p50", "train/seconds"),
    ),
    "prerank": ("auc/*", "gauc/*", "ndcg@10", "recall@20", "latency_ms/p50", "train/seconds"),
    "rank": (
        *("auc/*", "gauc/*", "mrr/*", "logloss/*", "pcoc/*", "ece/*", "*/mae", "*/xauc"),
        *("latency_ms/p50", "train/seconds"),
    ),
    "rerank": ("ndcg@10", "ild@20", "genre_entropy@20", "coverage@20", "mrr", "latency_ms/p50"),
    "funnel": (
        *("ndcg@10", "recall@20", "hit@20", "mrr", "coverage@20", "ild@20"),
        *("latency_ms/p50", "latency_ms/p99", "throughput/requests_per_s"),
    ),
}
"""The columns of each stage, most telling first; the first one present ranks the table."""

_SHORT = {
    "latency_ms/p50": "p50 ms",
    "latency_ms/p99": "p99 ms",
    "throughput/requests_per_s": "requests/s",
    "train/seconds": "train s",
    "new_users/recall@20": "recall@20 new users",
}


def columns(stage: str, present: Iterable[str]) -> list[str]:
    """The metrics among `present` that a human wants to see for `stage`, the ranking one first."""
    keys = list(dict.fromkeys(present))
    return [key for pattern in COLUMNS[stage] for key in keys if fnmatchcase(key, pattern)]


def label(metric: str) -> str:
    """A heading for `metric`, as short as is still clear."""
    return _SHORT.get(metric, metric)


def merit(metric: str, value: float) -> float:
    """`value` turned so that higher is better."""
    kind = metric.removeprefix("new_users/").split("/")[0]
    if kind == "pcoc":
        return -abs(value - 1)
    lower = kind in ("logloss", "ece", "polarisation", "latency_ms", "train") or "mae" in metric.split("/")
    return -value if lower else value


def number(metric: str, value: float) -> str:
    """`value` with the digits `metric` deserves: four decimals for a rate, three digits for a quantity."""
    if metric.startswith(("latency_ms/", "train/", "throughput/", "unique_finds/")):
        return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:#.3g}"
    return f"{value:.4f}"

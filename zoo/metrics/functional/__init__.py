"""The maths of every metric, on tensors and batched over users."""

from zoo.metrics.functional.calibration import ece, pcoc
from zoo.metrics.functional.classification import auc, auc_replicates, gauc, log_loss
from zoo.metrics.functional.diversity import (
    category_entropy,
    coverage,
    coverage_of,
    exposure,
    gini,
    gini_of,
    intra_list_distance,
    novelty,
)
from zoo.metrics.functional.ranking import (
    Hits,
    hit_at_k,
    hits,
    mrr,
    ndcg_at_k,
    num_relevant,
    precision_at_k,
    rank_by_score,
    recall_at_k,
)
from zoo.metrics.functional.regression import mae, xauc

__all__ = [
    "Hits",
    "auc",
    "auc_replicates",
    "category_entropy",
    "coverage",
    "coverage_of",
    "ece",
    "exposure",
    "gauc",
    "gini",
    "gini_of",
    "hit_at_k",
    "hits",
    "intra_list_distance",
    "log_loss",
    "mae",
    "mrr",
    "ndcg_at_k",
    "novelty",
    "num_relevant",
    "pcoc",
    "precision_at_k",
    "rank_by_score",
    "recall_at_k",
    "xauc",
]

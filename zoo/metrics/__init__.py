"""Metrics: the maths in `zoo.metrics.functional`, and thin torchmetrics classes over it."""

from zoo.metrics.classification import AUC, ECE, GAUC, PCOC, LogLoss
from zoo.metrics.diversity import CategoryEntropy, Coverage, Gini, IntraListDistance, Novelty
from zoo.metrics.ranking import MRR, HitAtK, NDCGAtK, PrecisionAtK, RecallAtK
from zoo.metrics.regression import MAE, XAUC

__all__ = [
    "AUC",
    "ECE",
    "GAUC",
    "MAE",
    "MRR",
    "PCOC",
    "XAUC",
    "CategoryEntropy",
    "Coverage",
    "Gini",
    "HitAtK",
    "IntraListDistance",
    "LogLoss",
    "NDCGAtK",
    "Novelty",
    "PrecisionAtK",
    "RecallAtK",
]

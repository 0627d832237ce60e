"""The Lightning bases of all models: the only place that knows optimizers, steps and files of weights."""

from zoo.training.contrast import ContrastConfig
from zoo.training.counting import CountingModel
from zoo.training.module import TrainingDiverged, ZooModel
from zoo.training.rank import RankConfig, RankModel
from zoo.training.rerank import RerankModel
from zoo.training.retrieval import EmbeddingRetrieval, RetrievalModel

__all__ = [
    "ContrastConfig",
    "CountingModel",
    "EmbeddingRetrieval",
    "RankConfig",
    "RankModel",
    "RerankModel",
    "RetrievalModel",
    "TrainingDiverged",
    "ZooModel",
]

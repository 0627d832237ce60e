"""The Lightning bases of all models: the only place that knows optimizers, steps and files of weights."""

from zoo.training.counting import CountingModel
from zoo.training.likes import Likes
from zoo.training.module import TrainingDiverged, ZooModel
from zoo.training.neighbours import NeighbourConfig, NeighbourModel
from zoo.training.rank import RankConfig, RankModel
from zoo.training.rerank import RerankModel
from zoo.training.retrieval import EmbeddingRetrieval, RetrievalModel

__all__ = [
    "CountingModel",
    "EmbeddingRetrieval",
    "Likes",
    "NeighbourConfig",
    "NeighbourModel",
    "RankConfig",
    "RankModel",
    "RerankModel",
    "RetrievalModel",
    "TrainingDiverged",
    "ZooModel",
]

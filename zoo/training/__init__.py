"""The Lightning bases of all models: the only place that knows optimizers, steps and files of weights."""

from zoo.training.collected import CollectingRankModel
from zoo.training.contrast import ContrastConfig
from zoo.training.counting import CountingModel
from zoo.training.likes import Likers, Likes, LikesGathered, power
from zoo.training.module import TrainingDiverged, ZooModel
from zoo.training.neighbours import NeighbourConfig, NeighbourModel, decay, liked_together
from zoo.training.online import Live, OnlineModel
from zoo.training.rank import RankConfig, RankModel
from zoo.training.rerank import RerankModel
from zoo.training.retrieval import EmbeddingRetrieval, RetrievalModel

__all__ = [
    "CollectingRankModel",
    "ContrastConfig",
    "CountingModel",
    "EmbeddingRetrieval",
    "Likers",
    "Likes",
    "LikesGathered",
    "Live",
    "NeighbourConfig",
    "NeighbourModel",
    "OnlineModel",
    "RankConfig",
    "RankModel",
    "RerankModel",
    "RetrievalModel",
    "TrainingDiverged",
    "ZooModel",
    "decay",
    "liked_together",
    "power",
]

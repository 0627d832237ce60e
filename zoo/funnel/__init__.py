"""A funnel is a list of stages; nothing here knows a model by name."""

from zoo.funnel.exposure import SeenFilter
from zoo.funnel.features import Annotate, FeatureJoin, Score
from zoo.funnel.funnel import Funnel, Stage
from zoo.funnel.fusion import Fusion
from zoo.funnel.merge import Channel, Merge, Recall
from zoo.funnel.trace import Trace

__all__ = [
    "Annotate",
    "Channel",
    "FeatureJoin",
    "Funnel",
    "Fusion",
    "Merge",
    "Recall",
    "Score",
    "SeenFilter",
    "Stage",
    "Trace",
]

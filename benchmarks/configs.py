"""What may stand in the YAML files: one frozen dataclass for each kind of file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from zoo.core.config import FitConfig, demand

Metric: TypeAlias = Literal["inner_product", "cosine", "l2"]


@dataclass(frozen=True)
class ExactIndex:
    """Options of `zoo.index.exact`, the reference."""

    name: Literal["exact"] = "exact"
    metric: Metric = "inner_product"


@dataclass(frozen=True)
class HnswlibIndex:
    """Options of `zoo.index.hnswlib`; they are said again here so that a YAML is checked without the package.

    Attributes:
        name: Always hnswlib.
        metric: What a score is.
        M: Neighbours per node.
        ef_construction: Width of the search while building.
        ef_search: Width of the search while searching; wider finds more and takes longer.
        threads: More than one makes the graph differ from build to build.
        seed: Of the levels that nodes are put on.
    """

    name: Literal["hnswlib"] = "hnswlib"
    metric: Metric = "inner_product"
    M: int = 16
    ef_construction: int = 200
    ef_search: int = 128
    threads: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        demand(
            (self.M >= 2, f"M must be at least 2, found {self.M}"),
            (self.ef_construction >= 1, f"ef_construction must be at least 1, found {self.ef_construction}"),
            (self.ef_search >= 1, f"ef_search must be at least 1, found {self.ef_search}"),
            (self.threads >= 1, f"threads must be at least 1, found {self.threads}"),
            (self.seed >= 0, f"seed must not be negative, found {self.seed}"),
        )


Index: TypeAlias = ExactIndex | HnswlibIndex


@dataclass(frozen=True)
class EntryConfig:
    """`configs/<stage>/<name>.yaml`: a model with its numbers.

    Attributes:
        model: Name in the registry.
        params: Fields of the model's `Config`, which checks them.
        fit: How it is fitted.
        index: How its vectors are searched, for recall models that have vectors.
        about: One line for people.
    """

    model: str
    params: dict[str, Any] = field(default_factory=dict)
    fit: FitConfig = field(default_factory=FitConfig)
    index: Index | None = None
    about: str = ""


@dataclass(frozen=True)
class CandidatesConfig:
    """The frozen candidates on which models after recall are trained and judged.

    Attributes:
        channels: Recall entries that find them.
        quota: Items from each channel.
        from_recall: Candidates per request kept of what the channels found.
        uniform: Further candidates drawn uniformly from the catalogue.
        cuts: Shares of the log, in time, after which training candidates are made.
    """

    channels: list[str]
    quota: int = 100
    from_recall: int = 80
    uniform: int = 20
    cuts: list[float] = field(default_factory=lambda: [0.5, 0.6, 0.7])

    def __post_init__(self) -> None:
        demand(
            (len(self.channels) > 0, "channels must name at least one recall entry"),
            (self.quota >= 1, f"quota must be at least 1, found {self.quota}"),
            (self.from_recall >= 0, f"from_recall must not be negative, found {self.from_recall}"),
            (self.uniform >= 0, f"uniform must not be negative, found {self.uniform}"),
            (
                len(self.cuts) > 0 and all(0 < cut < 1 for cut in self.cuts),
                f"cuts must be shares between 0 and 1, found {self.cuts}",
            ),
        )


@dataclass(frozen=True)
class ProtocolConfig:
    """`configs/protocols/<name>.yaml`: how a dataset is split and what is measured.

    Attributes:
        candidates: The candidates of models after recall.
        name: The name of the file; do not write it.
        version: Raised when the numbers of two versions are not comparable.
        train: Share of the events, in time, that is for training.
        validation: Share after it for selection; the rest is the test.
        window: The part that is measured.
        history_share: Share of a window's events that a request may look back on.
        tie_seed: Seeds the order of events at one instant.
        history_length: Most recent events kept in a history.
        target_task: The task whose positives are the relevant items.
        recall_at: Cut-offs of recall.
        ndcg_at: Cut-offs of NDCG.
    """

    candidates: CandidatesConfig
    name: str = ""
    version: int = 1
    train: float = 0.8
    validation: float = 0.1
    window: Literal["test", "validation"] = "test"
    history_share: float = 0.5
    tie_seed: int = 0
    history_length: int = 200
    target_task: str = "like"
    recall_at: list[int] = field(default_factory=lambda: [20, 50, 100])
    ndcg_at: list[int] = field(default_factory=lambda: [10, 20])

    def __post_init__(self) -> None:
        tested = 1 - self.train - self.validation
        demand(
            (self.version >= 1, f"version must be at least 1, found {self.version}"),
            (0 < self.train < 1, f"train must be a share between 0 and 1, found {self.train}"),
            (0 < self.validation < 1, f"validation must be a share between 0 and 1, found {self.validation}"),
            (tested > 1e-9, "validation and train together must leave events for the test"),
            (
                0 < self.history_share < 1,
                f"history_share must be a share between 0 and 1, found {self.history_share}",
            ),
            (self.tie_seed >= 0, f"tie_seed must not be negative, found {self.tie_seed}"),
            (self.history_length >= 1, f"history_length must be at least 1, found {self.history_length}"),
            (_cut_offs(self.recall_at), f"recall_at must be cut-offs of at least 1, found {self.recall_at}"),
            (_cut_offs(self.ndcg_at), f"ndcg_at must be cut-offs of at least 1, found {self.ndcg_at}"),
        )

    @property
    def label(self) -> str:
        """`name@version/window`, as records say it."""
        return f"{self.name}@{self.version}/{self.window}"


def _cut_offs(values: list[int]) -> bool:
    return len(values) > 0 and min(values) >= 1


@dataclass(frozen=True)
class SuiteEntry:
    """One entry of a suite, perhaps with other numbers than in its file."""

    entry: str
    params: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)
    index: dict[str, Any] | None = None


@dataclass(frozen=True)
class SuiteConfig:
    """`configs/suites/<name>.yaml`: what is run on what.

    Attributes:
        dataset: Name below configs/datasets.
        protocol: Name below configs/protocols.
        seeds: Every entry and funnel is run with each.
        entries: Entries such as `recall/popular`, or mappings with changes for this suite only.
        funnels: Names below configs/funnels.
        about: One line for people.
    """

    dataset: str
    protocol: str
    seeds: list[int]
    entries: list[SuiteEntry] = field(default_factory=list)
    funnels: list[str] = field(default_factory=list)
    about: str = ""

    def __post_init__(self) -> None:
        seeds = self.seeds
        demand(
            (len(seeds) > 0, "seeds must not be empty"),
            (len(set(seeds)) == len(seeds), f"seeds must differ, found {seeds}"),
            (
                all(0 <= seed < 2**32 for seed in seeds),
                f"seeds must be between 0 and 2**32 - 1, found {seeds}",
            ),
            (len(set(self.funnels)) == len(self.funnels), f"funnels must differ, found {self.funnels}"),
        )

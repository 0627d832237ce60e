"""What may stand in the YAML files: one frozen dataclass for each kind of file."""

from __future__ import annotations

import re
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


@dataclass(frozen=True)
class FaissIndex:
    """Options of `zoo.index.faiss`, which says what they mean."""

    name: Literal["faiss"] = "faiss"
    metric: Metric = "inner_product"
    kind: Literal["flat", "ivf", "hnsw"] = "hnsw"
    lists: int = 256
    probes: int = 16
    M: int = 16
    ef_construction: int = 200
    ef_search: int = 128
    threads: int = 1

    def __post_init__(self) -> None:
        _at_least(self, lists=1, probes=1, M=2, ef_construction=1, ef_search=1, threads=1)


@dataclass(frozen=True)
class MilvusIndex:
    """Options of `zoo.index.milvus`, which says what they mean."""

    name: Literal["milvus"] = "milvus"
    metric: Metric = "inner_product"
    kind: Literal["flat", "hnsw"] = "flat"
    path: str | None = None
    uri: str | None = None
    M: int = 16
    ef_construction: int = 200
    ef_search: int = 128

    def __post_init__(self) -> None:
        _at_least(self, M=2, ef_construction=1, ef_search=1)
        embedded = self.path is None or self.path.endswith(".db")
        demand(
            (self.path is None or self.uri is None, "path is of an embedded Milvus and uri of a server"),
            (embedded, f"path must end in .db, found {self.path}"),
        )


def _at_least(index: object, **least: int) -> None:
    values = {name: getattr(index, name) for name in least}
    demand(
        *((values[n] >= low, f"{n} must be at least {low}, found {values[n]}") for n, low in least.items())
    )


Index: TypeAlias = ExactIndex | HnswlibIndex | FaissIndex | MilvusIndex


@dataclass(frozen=True)
class SuiteEntry:
    """An entry of a suite, or one that another builds on, perhaps with other numbers than in its file."""

    entry: str
    params: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)
    index: dict[str, Any] | None = None
    hard: dict[str, Any] | None = None
    of: Any = None


@dataclass(frozen=True)
class SearchedEntry(SuiteEntry):
    """An entry of a suite.

    Attributes:
        label: Shown with its name, as `rank/dcn_v2+mmoe`, in place of its changes; "" for the bare name.
        search: What `tune` tries: values by dotted key, `params.l2: [100, 300]`.
    """

    label: str | None = None
    search: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        empty = [key for key, values in self.search.items() if not values]
        named = self.label is None or re.fullmatch(r"[\w.-]*", self.label)
        demand(
            (not empty, f"search must name values to try, found none for {', '.join(empty)}"),
            (bool(named), f"label must be of letters, digits and . _ -, found {self.label!r}"),
        )


@dataclass(frozen=True)
class HardConfig:
    """Hard negatives of a recall model: what a funnel recalled and its later stages turned down.

    Attributes:
        funnel: Name below configs/funnels; its models are fitted at the start of each earlier window.
        stages: Whose rejects they are: what `prerank` dropped, what `rank` put last; as many from each.
        per_request: Negatives for a user in a window.
    """

    funnel: str
    stages: list[Literal["prerank", "rank"]] = field(default_factory=lambda: ["prerank", "rank"])
    per_request: int = 8

    def __post_init__(self) -> None:
        demand(
            (len(self.stages) > 0, "stages must name prerank, rank or both"),
            (len(set(self.stages)) == len(self.stages), f"stages must differ, found {self.stages}"),
            (self.per_request >= 1, f"per_request must be at least 1, found {self.per_request}"),
        )


@dataclass(frozen=True)
class EntryConfig:
    """`configs/<stage>/<name>.yaml`: a model with its numbers.

    Attributes:
        model: Name in the registry.
        params: Fields of the model's `Config`, which checks them.
        fit: How it is fitted.
        index: How its vectors are searched, for recall models that have vectors.
        hard: Hard negatives, for the same.
        of: The recall entry whose item vectors the model is given before it is fitted, for those that take
            any: a name, or a mapping with changes as in a suite.
        about: One line for people.
    """

    model: str
    params: dict[str, Any] = field(default_factory=dict)
    fit: FitConfig = field(default_factory=FitConfig)
    index: Index | None = None
    hard: HardConfig | None = None
    of: SuiteEntry | None = None
    about: str = ""


@dataclass(frozen=True)
class SuiteConfig:
    """`configs/suites/<name>.yaml`: what is run on what.

    Attributes:
        dataset: Name below configs/datasets.
        protocol: Name below configs/protocols.
        seeds: Every entry and funnel is run with each.
        entries: Entries such as `recall/popular`, or mappings with changes for this suite only.
        funnels: Names below configs/funnels.
        metric: What `tune` chooses by, such as `ndcg@20`.
        about: One line for people.
    """

    dataset: str
    protocol: str
    seeds: list[int]
    entries: list[SearchedEntry] = field(default_factory=list)
    funnels: list[str] = field(default_factory=list)
    metric: str = ""
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

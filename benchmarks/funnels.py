"""`configs/funnels/<name>.yaml`: the stages of a funnel, each a mapping with one key."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar, Literal, TypeAlias

from benchmarks.configs import Index
from zoo.core.config import demand
from zoo.core.errors import did_you_mean
from zoo.core.mistakes import ConfigErrors
from zoo.core.registry import STAGES
from zoo.core.yaml import Node


@dataclass(frozen=True)
class ChannelConfig:
    """One recall channel.

    Attributes:
        entry: A recall entry.
        quota: Items it may bring.
        index: How its vectors are searched; its entry's own index when not given.
    """

    entry: str
    quota: int = 100
    index: Index | None = None

    def __post_init__(self) -> None:
        demand((self.quota >= 1, f"quota must be at least 1, found {self.quota}"))


@dataclass(frozen=True)
class RecallStage:
    """Channels that find candidates side by side."""

    tag: ClassVar[str] = "recall"
    channels: list[ChannelConfig]

    def __post_init__(self) -> None:
        names = [channel.entry for channel in self.channels]
        demand(
            (len(names) > 0, "channels must not be empty"),
            (len(set(names)) == len(names), f"channels must differ in their entries, found {names}"),
        )


@dataclass(frozen=True)
class MergeStage:
    """Joins the channels' finds, at most `total` of them, None for all."""

    tag: ClassVar[str] = "merge"
    total: int | None = None

    def __post_init__(self) -> None:
        demand((_some(self.total), f"total must be at least 1 or null, found {self.total}"))


@dataclass(frozen=True)
class ExposureStage:
    """Drops what the user has already seen; keeps the first `keep` of the rest, None for all."""

    tag: ClassVar[str] = "exposure"
    keep: int | None = None

    def __post_init__(self) -> None:
        demand((_some(self.keep), f"keep must be at least 1 or null, found {self.keep}"))


@dataclass(frozen=True)
class PrerankStage:
    """A light model that keeps the best `keep`."""

    tag: ClassVar[str] = "prerank"
    entry: str
    keep: int

    def __post_init__(self) -> None:
        demand((self.keep >= 1, f"keep must be at least 1, found {self.keep}"))


@dataclass(frozen=True)
class RankStage:
    """The heavy model; it scores every candidate and keeps the best `keep`, None for all."""

    tag: ClassVar[str] = "rank"
    entry: str
    keep: int | None = None

    def __post_init__(self) -> None:
        demand((_some(self.keep), f"keep must be at least 1 or null, found {self.keep}"))


@dataclass(frozen=True)
class FusionStage:
    """One score out of the probabilities of several tasks.

    Attributes:
        formula: `weighted_sum` is `p_base + Σ w·p`, `click_times` is `p_base·(1 + Σ w·p)`.
        base: The task the formula starts from.
        weights: Weights of the other tasks.
    """

    tag: ClassVar[str] = "fusion"
    formula: Literal["weighted_sum", "click_times"]
    base: str
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RerankStage:
    """Orders the best `keep` as a list."""

    tag: ClassVar[str] = "rerank"
    entry: str
    keep: int

    def __post_init__(self) -> None:
        demand((self.keep >= 1, f"keep must be at least 1, found {self.keep}"))


Stage: TypeAlias = (
    RecallStage | MergeStage | ExposureStage | PrerankStage | RankStage | FusionStage | RerankStage
)

_ORDER = ("recall", "merge", "prerank", "rank", "fusion", "rerank")


@dataclass(frozen=True)
class FunnelConfig:
    """A funnel on a dataset.

    Attributes:
        dataset: The dataset it is made for.
        stages: recall, merge, then prerank, rank, fusion, rerank where wanted; exposure anywhere after merge.
        about: One line for people.
    """

    dataset: str
    stages: list[Stage]
    about: str = ""

    def __post_init__(self) -> None:
        tags = [stage.tag for stage in self.stages]
        ordered = [tag for tag in tags if tag != "exposure"]
        sane = sorted(set(ordered), key=_ORDER.index)
        demand(
            (
                tags[:2] == ["recall", "merge"],
                f"stages must start with recall, merge, found {_names(tags[:2])}",
            ),
            (
                ordered == sane,
                f"stages must come once and in the order {_names(_ORDER)}, found {_names(tags)}",
            ),
            (
                "fusion" not in tags or "rank" in tags,
                "stages must have a rank stage for fusion to work on",
            ),
        )


def references(node: Node) -> Iterator[tuple[str, str, Node]]:
    """Where a funnel's file names entries: the dotted key, the stage the entry must be of, and its name."""
    for i, item in enumerate(node.items("stages")):
        for stage, body in item.children.items():
            key = f"stages[{i}].{stage}"
            holders = {f"{key}.channels[{j}]": channel for j, channel in enumerate(body.items("channels"))}
            for place, holder in {key: body, **holders}.items():
                if stage in STAGES and (entry := holder.get("entry")):
                    yield f"{place}.entry", stage, entry


def change(node: Node, changes: Node) -> Node:
    """A funnel's file under changes, of which `merge.total` is for the merge stage, wherever it stands.

    Raises:
        ConfigErrors: If a change is for a stage that the funnel has not.
    """
    tags = [tag for stage in node.items("stages") for tag in stage.children]
    valid = [*tags, *(field.name for field in fields(FunnelConfig))]
    unknown = {key: new for key, new in changes.children.items() if key not in valid}
    if unknown:
        raise ConfigErrors(
            new.mistake(key, f"unknown key{did_you_mean(key, valid)}") for key, new in unknown.items()
        )
    stages = [stage.merged(_only(changes, stage.children)) for stage in node.items("stages")]
    if "stages" in node.children and tags:
        node = node.merged(Node({"stages": replace(node.children["stages"], value=stages)}, node.file))
    return node.merged(_only(changes, set(valid) - set(tags)))


def _only(node: Node, keys: Collection[str]) -> Node:
    return replace(node, value={key: child for key, child in node.children.items() if key in keys})


def _some(keep: int | None) -> bool:
    return keep is None or keep >= 1


def _names(tags: list[str] | tuple[str, ...]) -> str:
    return ", ".join(tags) or "none"

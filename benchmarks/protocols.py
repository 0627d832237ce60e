"""What may stand in `configs/protocols/<name>.yaml`: how a dataset is split, and what is measured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from benchmarks.split_configs import LEAKY, FixedSplit, LeaveOneOut, SplitConfig, TimeSplit, WindowSplit
from zoo.core.config import demand


@dataclass(frozen=True)
class CandidatesConfig:
    """The frozen candidates on which models after recall are trained and judged.

    Attributes:
        kind: Always recall; it need not be written.
        channels: Recall entries that find them.
        quota: Items from each channel.
        from_recall: Candidates per request kept of what the channels found.
        uniform: Further candidates drawn uniformly from the catalogue.
        cuts: Shares of the log, in time, after which training candidates are made.
    """

    kind: Literal["recall"] = field(default="recall", kw_only=True)
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
class ShownConfig:
    """Models after recall are trained and judged on what was shown: events of `behaviour`, all if empty."""

    kind: Literal["shown"]
    behaviour: str = ""


@dataclass(frozen=True)
class ProtocolConfig:
    """`configs/protocols/<name>.yaml`: how a dataset is split and what is measured.

    Attributes:
        candidates: The candidates of models after recall.
        name: The name of the file; do not write it.
        version: Raised when the numbers of two versions are not comparable.
        split: What is for training, for selection and for the test.
        window: The part that is measured.
        fold: Of a split into several windows the number, from 0, of the only one to measure; null for all.
        history_share: Share of a window's events that a request may look back on.
        tie_seed: Seeds the order of events at one instant.
        history_length: Most recent events kept in a history.
        target_task: The behaviour whose items are relevant; by default what the dataset says a user chose.
        recall_at: Cut-offs of recall.
        ndcg_at: Cut-offs of NDCG.
    """

    candidates: CandidatesConfig | ShownConfig
    name: str = ""
    version: int = 1
    split: SplitConfig = field(default_factory=TimeSplit)
    window: Literal["test", "validation"] = "test"
    fold: int | None = None
    history_share: float = 0.5
    tie_seed: int = 0
    history_length: int = 200
    target_task: str = ""
    recall_at: list[int] = field(default_factory=lambda: [20, 50, 100])
    ndcg_at: list[int] = field(default_factory=lambda: [10, 20])

    def __post_init__(self) -> None:
        one_row = self.shown and isinstance(self.split, LeaveOneOut)
        demand(
            (not one_row, "candidates that were shown cannot be split by leave_one_out: it tears requests"),
            (self.version >= 1, f"version must be at least 1, found {self.version}"),
            (
                self.fold is None or 0 <= self.fold < self.folds,
                f"fold must be from 0 to {self.folds - 1}, found {self.fold}",
            ),
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
    def shown(self) -> bool:
        """Whether models after recall rank what was shown."""
        return isinstance(self.candidates, ShownConfig)

    @property
    def folds(self) -> int:
        """How many windows there are to measure."""
        if not isinstance(self.split, WindowSplit):
            return 1
        return len(self.split.test if self.window == "test" else self.split.validation)

    @property
    def label(self) -> str:
        """`name@version/window`, as records say it, with the number of the window where there are several."""
        fold = "" if self.fold is None else f"-{self.fold + 1}"
        return f"{self.name}@{self.version}/{self.window}{fold}"

    @property
    def each(self) -> list[ProtocolConfig]:
        """One protocol for each window to measure; itself where there is one only."""
        several = isinstance(self.split, WindowSplit) and self.fold is None
        return [replace(self, fold=fold) for fold in range(self.folds)] if several else [self]

    @property
    def repeats(self) -> bool:
        """Whether what is in the history may be recommended once more."""
        return isinstance(self.split, FixedSplit) and self.split.repeats

    @property
    def leak(self) -> str:
        """Why the numbers of this split flatter; empty if they do not."""
        return LEAKY.get(self.split.kind, "")


def _cut_offs(values: list[int]) -> bool:
    return len(values) > 0 and min(values) >= 1

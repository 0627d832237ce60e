"""How a log may be split: the part of a protocol that says what is known and what is measured."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias

from zoo.core.config import demand


@dataclass(frozen=True)
class TimeSplit:
    """One cut in time for everybody: shares of the events, the earliest for training.

    Attributes:
        kind: Always time.
        train: Share of the events, in time, that is for training.
        validation: Share after it for selection; the rest is the test.
    """

    kind: Literal["time"] = "time"
    train: float = 0.8
    validation: float = 0.1

    def __post_init__(self) -> None:
        demand(*_shares(self.train, self.validation))


@dataclass(frozen=True)
class WindowSplit:
    """Back-testing: several windows of equal length, each measured with all that was known at its start.

    Attributes:
        kind: Always windows.
        days: Length of a window.
        validation: Days on which the windows for selection start, such as 2001-01-27.
        test: Days on which the measured windows start, after all windows for selection.
        earlier: Windows right before a measured one, on which models after recall are trained.
    """

    kind: Literal["windows"]
    days: int
    validation: list[str]
    test: list[str]
    earlier: int = 4

    def __post_init__(self) -> None:
        dates = [*self.validation, *self.test]
        wrong = [text for text in dates if not re.fullmatch(r"\d{4}-\d\d-\d\d", text) or not _is_day(text)]
        demand(
            (self.days >= 1, f"days must be at least 1, found {self.days}"),
            (self.earlier >= 1, f"earlier must be at least 1, found {self.earlier}"),
            (bool(self.validation), "validation must name at least one day"),
            (bool(self.test), "test must name at least one day"),
            (not wrong, f"test and validation must be days such as 2001-05-27, found {', '.join(wrong)}"),
        )
        ends = [date.fromisoformat(text) + timedelta(self.days) for text in self.validation]
        first = min(map(date.fromisoformat, self.test))
        demand((max(ends) <= first, "validation must end before the first window of the test starts"))


@dataclass(frozen=True)
class LeaveOneOut:
    """The last event of every user for the test, the one before for selection; leaks the future of others."""

    kind: Literal["leave_one_out"]


@dataclass(frozen=True)
class FixedSplit:
    """The split that was published with the data.

    Attributes:
        kind: Always fixed.
        validation: Share of the training events that is for selection where no part was published for it.
        requests: One for each `user`, with all measured events as its answers; or one at each measured
            `event` but a user's first, with all before it as history, as sessions are measured. Then users
            that are for selection are drawn whole.
        repeats: Whether what is in the history may be recommended once more, and be right.
        train_only: A published part for selection is neither learned from nor left out of what is ranked when
            the test is measured, as in tables of models that learned from the training part alone.
    """

    kind: Literal["fixed"]
    validation: float = 0.1
    requests: Literal["user", "event"] = "user"
    repeats: bool = False
    train_only: bool = False

    def __post_init__(self) -> None:
        demand((0 < self.validation < 1, f"validation must be a share, found {self.validation}"))


@dataclass(frozen=True)
class RandomSplit:
    """Events drawn by a seeded hash, whatever their time; leaks the future."""

    kind: Literal["random"]
    train: float = 0.8
    validation: float = 0.1

    def __post_init__(self) -> None:
        demand(*_shares(self.train, self.validation))


SplitConfig: TypeAlias = TimeSplit | WindowSplit | LeaveOneOut | FixedSplit | RandomSplit
LEAKY = {
    "leave_one_out": "models see what others did after the event that they predict",
    "random": "models see what the user did after the event that they predict",
}
"""Why numbers of a split flatter."""


def _shares(train: float, validation: float) -> list[tuple[bool, str]]:
    return [
        (0 < train < 1, f"train must be a share between 0 and 1, found {train}"),
        (0 < validation < 1, f"validation must be a share between 0 and 1, found {validation}"),
        (1 - train - validation > 1e-9, "validation and train together must leave events for the test"),
    ]


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True

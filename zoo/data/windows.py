"""The windows that statistics are counted in, and what a dataset's YAML says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from zoo.core.config import demand
from zoo.core.errors import UserError

NOW, KEY = "now", "statistics_key"
"""What a request carries where there are statistics: its time, and whose it is (-1 for nobody known)."""
_UNITS = {"d": 86400, "h": 3600, "m": 60}


def window_seconds(window: str) -> int | None:
    """The length of a window such as `30d`, `12h` or `90m`; None for `all`, which has no beginning.

    Raises:
        UserError: It is none of these.
    """
    if window == "all":
        return None
    if found := re.fullmatch(r"([1-9][0-9]{0,4})([dhm])", str(window)):
        return int(found[1]) * _UNITS[found[2]]
    expected = "a whole number from 1 to 99999 and a unit (30d, 12h, 90m), or all"
    raise UserError(f"statistics.windows: expected {expected}, found {window!r}")


@dataclass(frozen=True)
class StatisticsConfig:
    """Counts and rates of every user, item and user × category as of each event.

    Attributes:
        windows: Such as `30d`, `12h`, `90m`, or `all`.
        cross: The item features whose categories are counted for each user.
    """

    windows: list[str]
    cross: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        twice = [name for place, name in enumerate(self.cross) if name in self.cross[:place]]
        demand(
            *((False, message) for message in self._mistakes()),
            (bool(self.windows), "windows: expected at least one, such as 7d"),
            (not twice, f"cross must not name a feature twice, found {', '.join(twice)}"),
        )

    def _mistakes(self) -> Iterator[str]:
        lengths: dict[int | None, str] = {}
        for window in self.windows:
            try:
                length = window_seconds(window)
            except UserError as error:
                yield str(error).removeprefix("statistics.")
                continue
            if length in lengths:
                yield f"windows must differ, found {window} beside {lengths[length]}"
            lengths[length] = window

    @property
    def finite(self) -> list[str]:
        """The windows that need a clock of seconds: all but `all`."""
        return [window for window in self.windows if window != "all"]

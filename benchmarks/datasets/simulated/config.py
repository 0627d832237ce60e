"""How large a world is, and how it behaves."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.core.config import demand

VERSION = 1
"""Of the worlds: to be raised when equal configs make other worlds than before."""


@dataclass(frozen=True)
class SimulationConfig:
    """A world by its size and its habits; equal configs give equal worlds.

    Attributes:
        users: People, those who register during the period among them.
        items: Articles and videos, those published during the period among them.
        exposures: Items shown, each a row of the log.
        days: Length of the period.
        seed: Of everything that is drawn.
        page: Items a request is answered with.
        explore: Share of the positions that are filled uniformly from the candidates.
        repeat_days: For how long an item is not shown to the same user again.
        new_users: Share of the users who register during the period.
        new_items: Share of the items that are published during the period.
        click_rate: Clicks per exposure, roughly: set by the first hour's pages; policy and people change.
        position_bias: A position `k` of a page is looked at with probability `k ** -position_bias`.
        satiation: What each item of the same second-level category further up on the page takes off the
            log-odds of a click.
    """

    users: int = 10_000
    items: int = 5_000
    exposures: int = 1_000_000
    days: int = 30
    seed: int = 0
    page: int = 10
    explore: float = 0.05
    repeat_days: int = 7
    new_users: float = 0.2
    new_items: float = 0.4
    click_rate: float = 0.1
    position_bias: float = 0.3
    satiation: float = 0.25

    def __post_init__(self) -> None:
        per_day = self.exposures / max(self.users * self.days, 1)
        seen = per_day * min(self.repeat_days, self.days)
        demand(
            (self.users >= 1, f"users must be at least 1, found {self.users}"),
            (self.items >= 20 * self.page, f"items must be at least 20 pages, found {self.items}"),
            (self.exposures >= 1, f"exposures must be at least 1, found {self.exposures}"),
            (1 <= self.days <= 730, f"days must be in 1..730, found {self.days}"),
            (self.seed >= 0, f"seed must not be negative, found {self.seed}"),
            (1 <= self.page <= 50, f"page must be in 1..50, found {self.page}"),
            (self.repeat_days >= 0, f"repeat_days must not be negative, found {self.repeat_days}"),
            *(_share(self, name) for name in ("explore", "new_users")),
            (0 <= self.new_items <= 0.9, f"new_items must be in [0, 0.9], found {self.new_items}"),
            (0 < self.click_rate <= 0.5, f"click_rate must be in (0, 0.5], found {self.click_rate}"),
            (0 <= self.position_bias <= 2, f"position_bias must be in [0, 2], found {self.position_bias}"),
            (self.satiation >= 0, f"satiation must not be negative, found {self.satiation}"),
            (per_day <= 60, f"exposures must be at most 60 a user and day, found {per_day:.0f}"),
            (
                seen <= self.items / 10,
                f"exposures must be at most {self.items / 10:.0f} (a tenth of the items) a user within "
                f"repeat_days, found {seen:.0f}",
            ),
        )


def _share(config: SimulationConfig, name: str) -> tuple[bool, str]:
    value = getattr(config, name)
    return 0 <= value < 1, f"{name} must be in [0, 1), found {value}"

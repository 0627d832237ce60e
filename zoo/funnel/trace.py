"""What went through each stage, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass, field

from zoo.core.types import Candidates


@dataclass
class Trace:
    """One run of a funnel.

    Attributes:
        candidates: What came out of every stage, by its name, in order.
        seconds: How long every stage took for the whole batch, by its name.
    """

    candidates: dict[str, Candidates] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

"""What every measurement is told, and how two sides take turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Options of the command line.

    Attributes:
        rows: Of the generated data, None for the size that docs/benchmarks.md names.
        threads: Of each side.
        repeats: Of each side.
    """

    rows: int | None = None
    threads: int = 1
    repeats: int = 3


def versus(ours: Callable[[], float], peer: Callable[[], float], options: Options) -> dict[str, float | str]:
    """Median seconds of both sides, measured in turns since the machine is shared, and their ratio.

    Args:
        ours: Runs our side once: its seconds, of what is to be compared alone.
        peer: Likewise.
        options: How many turns.
    """
    pairs = [(ours(), peer()) for _ in range(options.repeats)]
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(their / my for my, their in pairs)
    return {
        "ours": round(mine, 4),
        "peer": round(theirs, 4),
        "ratio": round(ratio, 2),
        "threads": options.threads,
    }


def fastest(
    ours: Callable[[], float], peers: Mapping[str, Callable[[], float]], options: Options
) -> dict[str, float | str]:
    """As `versus`, beside several peers: the seconds of each, and the ratio to the fastest of them."""
    turns = [(ours(), {name: peer() for name, peer in peers.items()}) for _ in range(options.repeats)]
    theirs = {name: statistics.median(turn[name] for _, turn in turns) for name in peers}
    first = min(theirs, key=lambda name: theirs[name])
    return {
        "ours": round(statistics.median(mine for mine, _ in turns), 4),
        **{name: round(seconds, 4) for name, seconds in theirs.items()},
        "peer": first,
        "ratio": round(statistics.median(turn[first] / mine for mine, turn in turns), 2),
        "threads": options.threads,
    }

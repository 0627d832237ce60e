"""The order in which candidates are shown: Plackett–Luce with exploration, whose probabilities are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.datasets.simulated.topics import Array, Random


@dataclass(frozen=True)
class Slate:
    """What is shown, `(B, P)` each.

    Attributes:
        column: Which of the candidates.
        shown: False where the candidates ran out.
        propensity: See `propensities`.
        explored: Whether the position was filled uniformly.
    """

    column: Array
    shown: Array
    propensity: Array
    explored: Array


def draw_slate(scores: Array, allowed: Array, length: int, explore: float, rng: Random) -> Slate:
    """Fills `length` positions one after another.

    Each is filled uniformly from what is left with probability `explore`, else in proportion to `exp(score)`.

    Args:
        scores: `(B, K)`.
        allowed: False for what must not be shown, `(B, K)`.
        length: Positions.
        explore: Share of the positions that are filled uniformly.
        rng: Of the draws.
    """
    # Sorting by score plus Gumbel noise is Plackett–Luce, and stays so for what is left when an
    # independent draw takes one item away, because exponential clocks have no memory.
    keys = np.where(allowed, scores + rng.gumbel(size=scores.shape), -np.inf)
    order = np.argsort(-keys, axis=1, kind="stable")
    left = allowed.sum(axis=1)[:, None] - np.arange(length)
    explored = (rng.random((len(scores), length)) < explore) & (left > 0)
    _move_up(order, explored, left, rng)
    chance = propensities(
        np.take_along_axis(np.where(allowed, scores, -np.inf), order, axis=1), length, explore
    )
    return Slate(order[:, :length], left > 0, chance, explored)


def propensities(scores: Array, length: int, explore: float) -> Array:
    """Probability of each position's item given the candidates and what is above it, `(B, length)`.

    Args:
        scores: In the order shown, what is not shown behind in any order; -inf for not allowed, `(B, K)`.
        length: Positions.
        explore: Share of the positions that are filled uniformly.
    """
    left = np.isfinite(scores).sum(axis=1)[:, None] - np.arange(length)
    with np.errstate(invalid="ignore", divide="ignore"):  # Where nothing is left, which is masked below.
        weight = np.exp(scores - scores.max(axis=1, keepdims=True))
        rest = np.cumsum(weight[:, ::-1], axis=1)[:, ::-1]
        greedy = weight[:, :length] / rest[:, :length]
    return np.where(left > 0, (1 - explore) * greedy + explore / np.maximum(left, 1), 0.0)


def _move_up(order: Array, explored: Array, left: Array, rng: Random) -> None:
    """Puts a uniform choice of what is left at each explored position, the others in their order behind."""
    columns = np.arange(order.shape[1])
    turn = np.cumsum(explored, axis=1) * explored
    for now in range(1, int(turn.max(initial=0)) + 1):
        row, to = np.nonzero(turn == now)
        source = to + (rng.random(len(row)) * left[row, to]).astype(np.int64)
        moved = (columns > to[:, None]) & (columns <= source[:, None])
        place = np.where(columns == to[:, None], source[:, None], columns - moved)
        order[row] = np.take_along_axis(order[row], place, axis=1)

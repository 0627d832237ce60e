"""The bases of every config: what a model is made of, and how it is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


def demand(*rules: tuple[bool, str]) -> None:
    """Checks all rules of a `__post_init__`, so that every broken one is told at once.

    Args:
        *rules: Pairs of a condition and the message when it does not hold; a message begins with the name of
            the field, which is how a mistake finds its line in the YAML file.

    Raises:
        ValueError: If a rule is broken, with one message a line.
    """
    broken = [message for holds, message in rules if not holds]
    if broken:
        raise ValueError("\n".join(broken))


@dataclass(frozen=True)
class ModelConfig:
    """The base of every model's `Config`: frozen, typed, with a default for whatever has a sensible one."""


@dataclass(frozen=True)
class FitConfig:
    """How a model is fitted.

    Attributes:
        max_epochs: Passes over the training data.
        batch_size: Rows per step.
        lr: Learning rate.
        weight_decay: L2 penalty of the optimizer.
        embedding_decay: The same of embedding tables, None for `weight_decay`.
        optimizer: Name of the optimizer. Of embeddings with 200,000 rows or more, the Adams update those of a
            batch, unless weights decay or gradients are clipped.
        grad_clip: Largest allowed gradient norm, None for no clipping.
    """

    max_epochs: int = 1
    batch_size: int = 1024
    lr: float = 1e-3
    weight_decay: float = 0.0
    optimizer: Literal["adam", "adamw", "sgd", "adagrad"] = "adam"
    grad_clip: float | None = None
    embedding_decay: float | None = None

    def __post_init__(self) -> None:
        # No upper bound on lr: a run that diverges is reported when it runs.
        demand(
            (self.max_epochs >= 1, f"max_epochs must be at least 1, found {self.max_epochs}"),
            (self.batch_size >= 1, f"batch_size must be at least 1, found {self.batch_size}"),
            (self.lr > 0, f"lr must be above 0, found {self.lr}"),
            (self.weight_decay >= 0, f"weight_decay must not be negative, found {self.weight_decay}"),
            (
                self.embedding_decay is None or self.embedding_decay >= 0,
                f"embedding_decay must not be negative, found {self.embedding_decay}",
            ),
            (
                self.grad_clip is None or self.grad_clip > 0,
                f"grad_clip must be above 0 or null, found {self.grad_clip}",
            ),
        )

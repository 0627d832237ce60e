"""Optimizers by name."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from zoo.core.config import FitConfig

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
}


def make_optimizer(parameters: Iterable[nn.Parameter], fit: FitConfig) -> torch.optim.Optimizer:
    """The optimizer that `fit` names, over all parameters."""
    # The keywords are common to all four, which the abstract type cannot tell.
    return OPTIMIZERS[fit.optimizer](parameters, lr=fit.lr, weight_decay=fit.weight_decay)  # type: ignore[call-arg]

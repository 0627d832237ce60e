"""Optimizers by name, and updates that cost what a batch has and not what a vocabulary has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoo.core.config import FitConfig

LARGE_TABLE = 200_000
"""Rows of an embedding from which on a step of Adam updates only those of its batch."""


class _ByRow(torch.optim.Optimizer):
    """Before an Adam: of a weight whose gradient is sparse, a step moves only the rows that are in it.

    Each row has an Adam of its own, which counts the steps that the row is in: its moments do not decay
    meanwhile. So a step costs the same for any number of rows.
    """

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None and weight.grad.is_sparse:
                    self._move(weight, weight.grad.coalesce(), group)
                    weight.grad = None  # so that the step of all others leaves it alone
        super().step()
        return loss

    @torch.no_grad()
    def _move(self, weight: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        rows, new, state = grad.indices()[0], grad.values(), self.state[weight]
        if not state:
            state["step"] = torch.zeros(len(weight), dtype=torch.int32, device=weight.device)
            state |= {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
        for name, beta, seen in zip(("exp_avg", "exp_avg_sq"), group["betas"], (new, new * new), strict=True):
            state[name][rows] = state[name][rows].lerp_(seen, 1 - beta)
        state["step"][rows] += 1
        # In double precision, as 1 - 0.999 is not exact in single.
        age = state["step"][rows].double()[:, None]
        mean, square = (
            state[name][rows] / (1 - beta**age).to(new.dtype)
            for name, beta in zip(("exp_avg", "exp_avg_sq"), group["betas"], strict=True)
        )
        weight.index_add_(0, rows, mean / square.sqrt_().add_(group["eps"]), alpha=-float(group["lr"]))


class _Adam(_ByRow, torch.optim.Adam):
    pass


class _AdamW(_ByRow, torch.optim.AdamW):
    pass


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    # Fused: one pass over each weight and its moments.
    "adam": partial(_Adam, fused=True),
    "adamw": partial(_AdamW, fused=True),
    # These take sparse gradients as they are, and do the same as with dense ones.
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
}


def make_optimizer(model: nn.Module, fit: FitConfig) -> torch.optim.Optimizer:
    """The optimizer that `fit` names, over all parameters of a model.

    Embeddings of `LARGE_TABLE` rows or more get sparse gradients, unless weights decay or gradients are
    clipped, which every row takes part in.
    """
    tables = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    decay = fit.weight_decay if fit.embedding_decay is None else fit.embedding_decay
    every_row = bool(decay) or fit.grad_clip is not None
    for table in tables:
        table.sparse = table.num_embeddings >= LARGE_TABLE and not every_row
    make = partial(OPTIMIZERS[fit.optimizer], lr=fit.lr, weight_decay=fit.weight_decay)
    if decay == fit.weight_decay:
        return make(model.parameters())
    embeddings = dict.fromkeys(table.weight for table in tables)
    others = [weight for weight in model.parameters() if weight not in embeddings]
    return make([{"params": others}, {"params": list(embeddings), "weight_decay": decay}])

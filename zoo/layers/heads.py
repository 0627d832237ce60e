"""From what a ranker knows of a candidate to one logit for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.core.config import demand
from zoo.core.errors import UserError
from zoo.layers.experts import Experts, Gate, mixed
from zoo.layers.mlp import MLP


@dataclass(frozen=True)
class HeadConfig:
    """What tasks share above the backbone.

    Attributes:
        kind: `single` is a linear layer for each task on the backbone's output, `shared_bottom` an MLP that
            all share below a tower for each, `mmoe` and `ple` experts that every task weighs for itself.
        experts: Of `mmoe`; those that all tasks share of `ple`.
        task_experts: Of `ple`: experts that a task has to itself.
        levels: Of `ple`: layers of experts.
        hidden: Widths of the shared MLP, or of every expert.
        tower: Hidden widths of every task's tower.
        dropout: In all of these.
        gate_dropout: Share of a gate's outputs that is left out in training, against polarised gates.
    """

    kind: Literal["single", "shared_bottom", "mmoe", "ple"] = "single"
    experts: int = 4
    task_experts: int = 1
    levels: int = 1
    hidden: list[int] = field(default_factory=lambda: [64])
    tower: list[int] = field(default_factory=lambda: [32])
    dropout: float = 0.0
    gate_dropout: float = 0.1

    def __post_init__(self) -> None:
        least = 2 if self.kind == "mmoe" else 1
        demand(
            (self.experts >= least, f"experts of {self.kind} must be at least {least}, found {self.experts}"),
            (self.task_experts >= 1, f"task_experts must be at least 1, found {self.task_experts}"),
            (self.levels >= 1, f"levels must be at least 1, found {self.levels}"),
            (self.kind == "single" or bool(self.hidden), f"hidden of {self.kind} needs at least one width"),
            (0 <= self.dropout < 1, f"dropout must be in [0, 1), found {self.dropout}"),
            (0 <= self.gate_dropout < 1, f"gate_dropout must be in [0, 1), found {self.gate_dropout}"),
        )


def make_heads(config: HeadConfig, tasks: Sequence[str], dim: int) -> nn.Module:
    """From `(…, dim)` to a dictionary of logits `(…)` by task.

    A mixture of experts for one task is a plain mixture; all else that is shared needs somebody to share it.

    Raises:
        UserError: The head shares something, and there is one task.
    """
    if config.kind == "single":
        return LinearHeads(tasks, dim)
    if config.kind != "mmoe" and len(tasks) == 1:
        raise UserError(
            f"head.kind: {config.kind} divides what tasks share from what they do not, and {tasks[0]!r} is "
            "the only task; expected single or mmoe"
        )
    kinds: dict[str, type[TowerHeads]] = {"shared_bottom": SharedBottom, "mmoe": MMoE, "ple": PLE}
    return kinds[config.kind](config, tasks, dim)


class LinearHeads(nn.ModuleDict):
    """A linear layer for each task.

    Args:
        tasks: Their names.
        dim: Width of the input.
    """

    def __init__(self, tasks: Sequence[str], dim: int) -> None:
        super().__init__({task: nn.Linear(dim, 1) for task in tasks})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """`(…)` by task for `(…, dim)`."""
        return {task: head(x).squeeze(-1) for task, head in self.items()}

    def as_sums(self) -> LinearHeads:
        """Every task starts out with the sum of its input."""
        for head in self.values():
            nn.init.ones_(head.weight)  # type: ignore[arg-type]
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]
        return self


class TowerHeads(nn.Module):
    """A tower for each task, above what `shared` gives to it."""

    def __init__(self, config: HeadConfig, tasks: Sequence[str], dim: int) -> None:
        super().__init__()
        self.tasks, width = list(tasks), config.hidden[-1]
        self.share(config, dim)
        self.towers = nn.ModuleDict({t: MLP(width, config.tower, config.dropout, out=1) for t in tasks})

    def share(self, config: HeadConfig, dim: int) -> None:
        """Makes the layers below the towers."""
        raise NotImplementedError

    def shared(self, x: Tensor) -> Mapping[str, Tensor]:
        """`(…, hidden[-1])` by task for `(…, dim)`."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """`(…)` by task for `(…, dim)`."""
        below = self.shared(x)
        return {task: self.towers[task](below[task]).squeeze(-1) for task in self.tasks}


class SharedBottom(TowerHeads):
    """One MLP that all tasks share, "Multitask Learning" (Caruana, Machine Learning 1997)."""

    def share(self, config: HeadConfig, dim: int) -> None:
        """The MLP."""
        self.bottom = MLP(dim, config.hidden, config.dropout)

    def shared(self, x: Tensor) -> Mapping[str, Tensor]:
        """The same `(…, hidden[-1])` for every task."""
        return dict.fromkeys(self.tasks, self.bottom(x))


class MixtureHeads(TowerHeads):
    """Towers above a mixture of experts.

    Attributes:
        gates: The last gate below the tower of each task.
    """

    gates: nn.ModuleDict


class MMoE(MixtureHeads):
    """Experts that all tasks share, and a gate for each.

    "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts" (Ma et al., KDD
    2018, https://doi.org/10.1145/3219819.3220007), with dropout on gates (Zhao et al., RecSys 2019).
    """

    def share(self, config: HeadConfig, dim: int) -> None:
        """Experts and gates."""
        self.experts = Experts(config.experts, dim, config.hidden, config.dropout)
        self.gates = nn.ModuleDict(
            {task: Gate(dim, config.experts, config.gate_dropout) for task in self.tasks}
        )

    def shared(self, x: Tensor) -> Mapping[str, Tensor]:
        """Every task's own mean of the experts."""
        # One product for all tasks: there are as many small matrices as rows, and each takes its time.
        weights = torch.stack([gate(x) for gate in self.gates.values()], dim=-2)
        return dict(zip(self.tasks, (weights @ self.experts(x)).unbind(-2), strict=True))


class PLE(MixtureHeads):
    """Experts of each task beside those that all share, in one or more levels.

    "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning (MTL) Model for Personalized
    Recommendations" (Tang et al., RecSys 2020, https://doi.org/10.1145/3383313.3412236).
    """

    def share(self, config: HeadConfig, dim: int) -> None:
        """The levels; only those below another one have a gate for what is shared."""
        dims = [dim, *(config.hidden[-1] for _ in range(config.levels - 1))]
        self.levels = nn.ModuleList(
            Extraction(config, self.tasks, dim, last=level == len(dims) - 1) for level, dim in enumerate(dims)
        )

    @property
    def gates(self) -> nn.ModuleDict:  # type: ignore[override]
        """Those of the last level."""
        return self.levels[-1].gates  # type: ignore[return-value]

    def shared(self, x: Tensor) -> Mapping[str, Tensor]:
        """What the last level extracts for every task."""
        parts = dict.fromkeys([*self.tasks, SHARED], x)
        for level in self.levels:
            parts = level(parts)
        return parts


SHARED = ""
"""What stands for all tasks, where a level of PLE has inputs and experts by task."""


class Extraction(nn.Module):
    """One level of PLE: a task weighs its own experts and the shared ones, the shared gate all of them.

    Args:
        config: Numbers of experts and their widths.
        tasks: Their names.
        dim: Width of every input.
        last: Whether nothing reads what is shared any more.
    """

    def __init__(self, config: HeadConfig, tasks: Sequence[str], dim: int, last: bool) -> None:
        super().__init__()
        own, shared, mlp = config.task_experts, config.experts, (config.hidden, config.dropout)
        self.own = nn.ModuleDict({task: Experts(own, dim, *mlp) for task in tasks})
        self.shared = Experts(shared, dim, *mlp)
        self.gates = nn.ModuleDict({task: Gate(dim, own + shared, config.gate_dropout) for task in tasks})
        total = own * len(tasks) + shared
        self.shared_gate = None if last else Gate(dim, total, config.gate_dropout)

    def forward(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`(…, hidden[-1])` for every task, and for `SHARED` unless it is the last level."""
        own = {task: experts(parts[task]) for task, experts in self.own.items()}
        shared = self.shared(parts[SHARED])
        out = {
            task: mixed(gate(parts[task]), torch.cat([own[task], shared], dim=-2))
            for task, gate in self.gates.items()
        }
        if self.shared_gate is not None:
            experts = torch.cat([*own.values(), shared], dim=-2)
            out[SHARED] = mixed(self.shared_gate(parts[SHARED]), experts)
        return out

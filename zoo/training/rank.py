"""The base of pre-rank and rank models: logits by task for the candidates of a request."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.errors import UserError, did_you_mean
from zoo.core.schema import Feature, Role, Schema
from zoo.core.types import Batch
from zoo.losses.listwise import softmax_listwise
from zoo.losses.pointwise import masked_bce
from zoo.training.module import ZooModel


@dataclass(frozen=True)
class RankConfig(ModelConfig):
    """What every pre-rank and rank model can be told.

    Attributes:
        task_weights: Weight of a task's loss, 1 where not given.
        listwise: Weight of a softmax over each request's candidates on every task's joint probability,
            beside the pointwise loss that keeps probabilities calibrated.
        without: Names of features to leave out.
    """

    task_weights: dict[str, float] = field(default_factory=dict)
    listwise: float = 0.0
    without: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        demand((self.listwise >= 0, f"listwise must not be negative, found {self.listwise}"))


class RankModel(ZooModel):
    """Logits `(B, K)` by task from request-level features `(B, …)` and candidate-level ones `(B, K, …)`.

    Raises:
        UserError: `without` or `task_weights` names what the schema does not have, or there is no task.
    """

    def __init__(self, schema: Schema, config: RankConfig) -> None:
        super().__init__(schema, config)
        self.tasks, self.task_weights, self.listwise = schema.tasks, config.task_weights, config.listwise
        self._used = schema.leaving_out(config.without)
        if not self.tasks:
            raise UserError(f"{self.registry_name}: the schema names no task")
        for name in config.task_weights:
            if name not in (valid := [task.name for task in self.tasks]):
                near = did_you_mean(name, valid)
                raise UserError(f"{self.registry_name}: task_weights: unknown task {name!r}{near}")

    @abstractmethod
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task; those of a task with `given` are conditional on it."""

    def used(self, *roles: Role) -> tuple[Feature, ...]:
        """The schema's features in these roles that the config does not leave out."""
        return self._used.having(*roles)

    def loss(self, batch: Batch) -> Tensor:
        """Pointwise cross-entropy of every task where it is defined, and the listwise one if weighted."""
        logits, mask = self(batch), batch["item_id"] > 0
        log_joint = joint_log_probability(logits, self.schema)
        total = torch.zeros((), device=mask.device)
        for task in self.tasks:
            labels = batch[f"label:{task.name}"]
            defined = mask & (batch[f"label:{task.given}"] > 0) if task.given else mask
            loss = masked_bce(logits[task.name], labels, defined)
            if self.listwise:
                loss = loss + self.listwise * softmax_listwise(log_joint[task.name], labels, mask)
            total = total + self.task_weights.get(task.name, 1.0) * loss
        return total

    @torch.no_grad()
    def probabilities(self, batch: Batch) -> Batch:
        """`(B, K)` probability by task, conditional where the task is.

        Raises:
            UserError: A column that the model was fitted with is not there. How an item will be shown is not
                known yet, so that is no mistake.
        """
        missing = [feature for feature in self.used("column") if feature.name not in batch]
        if columns := ", ".join(feature.name for feature in missing if feature.of != "shown"):
            raise UserError(f"{self.registry_name}: no stage before it made the columns it reads: {columns}")
        batch = batch | {feature.name: unknown(feature, batch["item_id"]) for feature in missing}
        return {name: logits.sigmoid() for name, logits in self(batch).items()}


def joint_log_probability(logits: dict[str, Tensor], schema: Schema) -> dict[str, Tensor]:
    """`(B, K)` by task: log of the product of probabilities along `given`, as p(watch)·p(like | watch).

    The chain of ESMM (Ma et al., SIGIR 2018). Tasks come after the task they are given; to be
    shown, which is no task, is certain.
    """
    joint: dict[str, Tensor] = {}
    tasks = {task.name for task in schema.tasks}
    for task in schema.tasks:
        own = F.logsigmoid(logits[task.name])
        joint[task.name] = own + joint[task.given] if task.given in tasks else own
    return joint


def unknown(feature: Feature, like: Tensor) -> Tensor:
    """A column that nobody made, of the shape of `like`: id 0, or the mean of a number."""
    if feature.kind == "numeric":
        return torch.full(like.shape, feature.mean, device=like.device)
    return torch.zeros_like(like, dtype=torch.int64)

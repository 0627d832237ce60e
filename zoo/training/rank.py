"""The base of pre-rank and rank models: logits by task for the candidates of a request."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.core.config import ModelConfig, demand
from zoo.core.errors import UserError, did_you_mean
from zoo.core.schema import Feature, Role, Schema
from zoo.core.types import Batch
from zoo.layers.heads import HeadConfig, MixtureHeads
from zoo.layers.histories import Histories, HistoryConfig
from zoo.layers.position import PositionConfig, PositionTower
from zoo.losses.listwise import softmax_listwise
from zoo.losses.pointwise import masked_bce
from zoo.training.module import ZooModel
from zoo.training.sound import check_sound
from zoo.training.values import DurationCurve, ValueForm, expected, label_of, target


@dataclass(frozen=True)
class RankConfig(ModelConfig):
    """What every pre-rank and rank model can be told.

    Attributes:
        task_weights: Weight of the loss of a task or value, 1 where not given.
        listwise: Weight of a softmax over each request's candidates on every task's joint probability,
            beside the pointwise loss that keeps probabilities calibrated.
        without: Names of features to leave out.
        history: What is read of the user's past events.
        head: What tasks share.
        position: A tower on how items were shown, in training only; none if null.
        values: Explicit behaviours to predict as well, each with how it is learned: `weighted_logistic` for
            seconds watched; `regression` or `binary` (above 80 %) for the share of an item that was played.
        duration: Item feature that tells how long an item is: predicted shares are also given divided by
            those of items as long, `<name>:relative`, which is what a fusion should use.
    """

    task_weights: dict[str, float] = field(default_factory=dict)
    listwise: float = 0.0
    without: list[str] = field(default_factory=list)
    history: HistoryConfig = field(default_factory=HistoryConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    position: PositionConfig | None = None
    values: dict[str, ValueForm] = field(default_factory=dict)
    duration: str = ""

    def __post_init__(self) -> None:
        demand((self.listwise >= 0, f"listwise must not be negative, found {self.listwise}"))


class RankModel(ZooModel):
    """Logits `(B, K)` by task from request-level features `(B, …)` and candidate-level ones `(B, K, …)`.

    Raises:
        UserError: `without`, `task_weights` or `position` names what the schema does not have, or there is
            no task.
    """

    def __init__(self, schema: Schema, config: RankConfig) -> None:
        super().__init__(schema, config)
        self.tasks, self.task_weights, self.listwise = schema.tasks, config.task_weights, config.listwise
        self.values, self.duration = config.values, config.duration
        place = config.position
        self.position_tower = PositionTower(schema, place, self.outputs) if place else None
        self._used = schema.leaving_out([*config.without, *([place.feature] if place else [])])
        if not self.tasks:
            raise UserError(f"{self.registry_name}: the schema names no task")
        for name in config.task_weights:
            if name not in self.outputs:
                near = did_you_mean(name, self.outputs)
                raise UserError(f"{self.registry_name}: task_weights: unknown task {name!r}{near}")
        if twice := sorted({task.name for task in self.tasks} & self.values.keys()):
            text = f"values: {twice[0]!r} is a task, expected an explicit behaviour"
            raise UserError(f"{self.registry_name}: {text}")
        duration = schema[self.duration] if self.duration else None
        shares = [name for name, form in self.values.items() if form != "weighted_logistic"]
        self.curves = nn.ModuleDict({name: DurationCurve(duration) for name in shares if duration})

    @property
    def outputs(self) -> list[str]:
        """What `forward` gives a logit for: the tasks, and the values behind them."""
        return [*(task.name for task in self.tasks), *self.values]

    @abstractmethod
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task and value; those of a task with `given` are conditional on it."""

    def used(self, *roles: Role) -> tuple[Feature, ...]:
        """The schema's features in these roles that the config does not leave out."""
        return self._used.having(*roles)

    @property
    def request_features(self) -> tuple[Feature, ...]:
        """The used features of a request, histories and the user's id not counted."""
        return self.used("user", "context")

    @property
    def candidate_features(self) -> tuple[Feature, ...]:
        """The used features of a candidate."""
        return self.used("item_id", "item", "item_stat", "column", "cross")

    def attach_catalogue(self, catalogue: Batch) -> None:
        """Gives the histories the features of their items."""
        for module in self.modules():
            if isinstance(module, Histories):
                module.attach(catalogue)

    def prepare(self, catalogue: Batch) -> None:
        """Likewise."""
        self.attach_catalogue(catalogue)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Looks once, at the first batch of a fit, whether the columns hold what the schema says.

        Raises:
            UserError: One does not.
        """
        if batch_idx == 0 and self.trainer.current_epoch == 0:
            check_sound(batch, self.schema)

    def loss(self, batch: Batch) -> Tensor:
        """Pointwise cross-entropy of every task where it is defined, and the listwise one if weighted.

        A label that is NaN is not defined, nor is any task that is given it.
        """
        logits, mask = self(batch), batch["item_id"] > 0
        if self.position_tower is not None:
            bias = self.position_tower(batch)
            logits = {name: logit + bias[name] for name, logit in logits.items()}
        log_joint = joint_log_probability(logits, self.schema)
        total = torch.zeros((), device=mask.device)
        for task in self.tasks:
            labels = batch[f"label:{task.name}"]
            known = mask & ~labels.isnan()
            defined = known & (batch[f"label:{task.given}"] > 0) if task.given else known
            loss = masked_bce(logits[task.name], labels, defined)
            if self.listwise:
                loss = loss + self.listwise * softmax_listwise(log_joint[task.name], labels, known)
            total = total + self.task_weights.get(task.name, 1.0) * loss
        for name, form in self.values.items():
            loss = self._value_loss(batch, name, form, logits[name])
            total = total + self.task_weights.get(name, 1.0) * loss
        return total

    def _value_loss(self, batch: Batch, name: str, form: ValueForm, logits: Tensor) -> Tensor:
        label, defined = label_of(batch, name, batch["item_id"] > 0)
        wanted = target(form, label)
        if self.training:
            self.count_durations(batch, name, wanted, defined)
        return masked_bce(logits, wanted, defined)

    def count_durations(self, batch: Batch, name: str, wanted: Tensor, defined: Tensor) -> None:
        """Counts the targets `(B, K)` of a share by the duration of items, where `defined`."""
        if name in self.curves:
            cast(DurationCurve, self.curves[name]).add(batch, wanted, defined)

    @torch.no_grad()
    def diagnostics(self, batch: Batch) -> Batch:
        """`(B, K)` numbers about the model itself, by the key of a record that has their mean.

        `polarisation/<task>` is the weight of the task's top expert, from 1 / (number of experts) to 1.
        """
        found: Batch = {}
        gates = {
            name: gate
            for module in self.modules()
            if isinstance(module, MixtureHeads)
            for name, gate in module.gates.items()
        }

        def note(name: str, weights: Tensor) -> None:
            found[f"polarisation/{name}"] = weights.max(-1).values

        hooks = [
            gate.register_forward_hook(lambda _, __, weights, name=name: note(name, weights))
            for name, gate in gates.items()
        ]
        if hooks:
            self(batch)
        for hook in hooks:
            hook.remove()
        return found

    @torch.no_grad()
    def probabilities(self, batch: Batch) -> Batch:
        """`(B, K)` probability by task, conditional where the task is, and what is expected of each value.

        Raises:
            UserError: A column that the model was fitted with is not there. How an item will be shown is not
                known yet, so that is no mistake.
        """
        missing = [feature for feature in self.used("column") if feature.name not in batch]
        if columns := ", ".join(feature.name for feature in missing if feature.of != "shown"):
            raise UserError(f"{self.registry_name}: no stage before it made the columns it reads: {columns}")
        batch = batch | {feature.name: unknown(feature, batch["item_id"]) for feature in missing}
        logits = self(batch)
        tasks = {task.name: logits[task.name].sigmoid() for task in self.tasks}
        return tasks | self.expected(logits, batch)

    def expected(self, logits: Batch, batch: Batch) -> Batch:
        """`(B, K)` what is expected of each value, from logits of `forward`."""
        return expected(logits, self.values, self.curves, batch)


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

"""Gradient-boosted trees: what neural rankers have to beat on tables of numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.errors import UserError
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.types import Batch
from zoo.layers.columns import cells_of, columns_of, frequent, table
from zoo.training import CollectingRankModel, RankConfig
from zoo.training.values import label_of, target

SMALLEST = 100
"""A leaf or a category needs no more than one row in so many, so that a small set can be fitted at all."""
SIZES = ("min_leaf_rows", "min_category_rows")
LARGEST_ID = 1 << 24
"""Ids above it are no whole numbers in float32."""


@dataclass(frozen=True)
class GBDTConfig(RankConfig):
    """Options of `rank/gbdt`, besides those of every rank model; the lr and epochs of `fit` are of no effect.

    Attributes:
        num_trees: Of each task.
        shrinkage: Weight of a tree.
        num_leaves: Of a tree.
        min_leaf_rows: Fewest training rows of a leaf, at most 1 % of them.
        min_category_rows: Fewest training rows of a category that a split can name, at most 1 % of them.
        l2: Penalty of the leaves' values.
        row_share: Drawn anew for every tree.
        column_share: Likewise.
        multi_values: Most columns of a multi feature, the most frequent values.
        user_id: Whether the id of the user is a column.
        num_threads: 0 for as many as torch may use.
        seed: Of the draws.
    """

    num_trees: int = 200
    shrinkage: float = 0.05
    num_leaves: int = 31
    min_leaf_rows: int = 20
    min_category_rows: int = 20
    l2: float = 1.0
    row_share: float = 1.0
    column_share: float = 0.8
    multi_values: int = 20
    user_id: bool = False
    num_threads: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        past, head = self.history.kind, self.head.kind
        least = {"num_leaves": 2} | dict.fromkeys(("num_trees", "multi_values", *SIZES), 1)
        counts = {name: getattr(self, name) for name in least}
        shares = {name: getattr(self, name) for name in ("shrinkage", "row_share", "column_share")}
        demand(
            *(
                (n >= least[name], f"{name} must be at least {least[name]}, found {n}")
                for name, n in counts.items()
            ),
            *((0 < x <= 1, f"{name} must be above 0 and at most 1, found {x}") for name, x in shares.items()),
            (self.l2 >= 0, f"l2 must not be negative, found {self.l2}"),
            (self.num_threads >= 0, f"num_threads must not be negative, found {self.num_threads}"),
            (self.listwise == 0, f"listwise is of models with a gradient, found {self.listwise}"),
            (past == "none", f"history is of models with vectors, found kind {past}"),
            (head == "single", f"head is of models with a gradient, found kind {head}"),
            (self.position is None, "position is of models with a gradient: leave the column out instead"),
        )


@register
class GBDT(CollectingRankModel):
    """LightGBM with an ensemble for each task, of the same batches as every other model.

    Numbers are columns as they are, NaN included, ids are categories, and a multi feature has a column for
    each of its frequent values. A conditional task is fitted where it is defined. The trees are kept as
    LightGBM's own text, in the bytes of one buffer, so that files and checkpoints hold no pickle and loading
    needs no data.

    "LightGBM: A Highly Efficient Gradient Boosting Decision Tree" (Ke et al., NeurIPS 2017,
    https://papers.nips.cc/paper/6907-lightgbm-a-highly-efficient-gradient-boosting-decision-tree). Unlike
    there, bins that are scales are numbers and not categories, and no validation set stops training early.
    """

    Config: ClassVar[type[ModelConfig]] = GBDTConfig
    trees: Tensor

    def __init__(self, schema: Schema, config: GBDTConfig) -> None:
        super().__init__(schema, config)
        _lightgbm()  # now, and not after all rows have been read
        self.config = config
        request = ("user_id", "user", "context") if config.user_id else ("user", "context")
        self.features = self.used(*request, "item_id", "item", "item_stat", "column", "cross")
        for feature in self.features:
            if feature.vocab > LARGEST_ID:
                raise UserError(
                    f"rank/gbdt: {feature.name!r} has {feature.vocab:,} ids, too many for a column"
                )
        self.register_buffer("trees", torch.zeros(0, dtype=torch.uint8))
        self._loaded: tuple[Tensor | None, int, dict[str, Any], Batch] = (None, 0, {}, {})
        self.start()

    def prepare(self, catalogue: Batch) -> None:
        """Reads the trees, once."""
        if len(self.trees):
            self._boosters()

    def start(self) -> None:
        """Forgets the rows of an earlier epoch."""
        self._rows: list[Batch] = []

    def collect(self, batch: Batch) -> None:
        """Keeps the features and targets of the candidates of a batch."""
        mask = batch["item_id"] > 0
        found = {name: cells[mask] for name, cells in cells_of(self.features, batch).items()}
        for task in self.tasks:
            defined = mask & (batch[f"label:{task.given}"] > 0) if task.given else mask
            found[f"label:{task.name}"] = batch[f"label:{task.name}"].where(defined, torch.nan)[mask]
        for name, form in self.values.items():
            label, defined = label_of(batch, name, mask)
            found[f"label:{name}"] = target(form, label).where(defined, torch.nan)[mask]
            self.count_durations(batch, name, target(form, label), defined)
        # Ids need no more than four bytes, and all rows are kept.
        self._rows.append({n: x if x.is_floating_point() else x.int() for n, x in found.items()})

    def finish(self) -> None:
        """Fits the trees of every task."""
        rows = {name: torch.cat([part[name] for part in self._rows]) for name in self._rows[0]}
        self.start()
        several = [feature for feature in self.features if feature.kind == "multi"]
        values = {f.name: frequent(rows[f.name].long(), f.vocab, self.config.multi_values) for f in several}
        matrix = table(self.features, rows, values).numpy()
        texts = {name: self._fitted(name, matrix, rows[f"label:{name}"].numpy()) for name in self.outputs}
        saved = {"trees": texts, "values": {name: ids.tolist() for name, ids in values.items()}}
        self.trees = torch.frombuffer(bytearray(json.dumps(saved).encode()), dtype=torch.uint8)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits `(B, K)` by task and value."""
        boosters, values = self._boosters()
        shape = batch["item_id"].shape
        matrix = table(self.features, cells_of(self.features, batch), values).flatten(0, 1).cpu().numpy()
        threads = self._threads()
        logits = {}
        for name in self.outputs:
            booster = boosters[name]
            # LightGBM refuses a table without rows.
            raw = booster.predict(matrix, raw_score=True, num_threads=threads) if len(matrix) else np.zeros(0)
            logits[name] = torch.from_numpy(raw).float().to(batch["item_id"].device).view(shape)
        return logits

    def _fitted(self, name: str, matrix: Any, label: Any) -> str:
        """The trees of a task, as text."""
        known = ~np.isnan(label)
        if not known.any():
            raise UserError(f"rank/gbdt: {name!r} is defined in no training row")
        single = columns_of(self.features)
        categories = [at for at, f in enumerate(single) if f.kind == "categorical" and not f.ordered]
        # Labels that are probabilities are allowed, and what is 0 or 1 is fitted as by a logistic loss.
        data = _lightgbm().Dataset(matrix[known], label[known], categorical_feature=categories)
        options = self._options(int(known.sum()))
        return str(_lightgbm().train(options, data, self.config.num_trees).model_to_string())

    def _options(self, rows: int) -> dict[str, Any]:
        config, most = self.config, max(1, rows // SMALLEST)
        category_rows = min(config.min_category_rows, most)
        return {
            "objective": "cross_entropy",
            "learning_rate": config.shrinkage,
            "num_leaves": config.num_leaves,
            "min_data_in_leaf": min(config.min_leaf_rows, most),
            "min_data_per_group": category_rows,
            "cat_smooth": category_rows,
            "lambda_l2": config.l2,
            "bagging_fraction": config.row_share,
            "bagging_freq": int(config.row_share < 1),
            "feature_fraction": config.column_share,
            "seed": config.seed,
            "num_threads": self._threads(),
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def _threads(self) -> int:
        return self.config.num_threads or torch.get_num_threads()

    def _boosters(self) -> tuple[dict[str, Any], Batch]:
        """The trees by task, and the columns of multi features, read again when the buffer has changed."""
        if not len(self.trees):
            raise UserError("rank/gbdt: not fitted yet")
        of, version, boosters, values = self._loaded
        if of is not self.trees or version != self.trees._version:
            saved = json.loads(self.trees.cpu().numpy().tobytes())
            boosters = {n: _lightgbm().Booster(model_str=text) for n, text in saved["trees"].items()}
            values = {name: torch.tensor(ids, dtype=torch.int64) for name, ids in saved["values"].items()}
            self._loaded = (self.trees, self.trees._version, boosters, values)
        return boosters, values


def _lightgbm() -> ModuleType:
    try:
        import lightgbm
    except ImportError:
        raise UserError("rank/gbdt needs a missing package: pip install 'funnelzoo[gbdt]'") from None
    return lightgbm

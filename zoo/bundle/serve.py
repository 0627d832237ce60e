"""`Bundle`: recommends and scores in raw ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo.core.errors import UserError, did_you_mean
from zoo.core.topk import is_member
from zoo.core.types import Batch, Candidates, Request
from zoo.data.store import History, Store
from zoo.funnel import FeatureJoin, Funnel, Score, SeenFilter
from zoo.funnel.merge import concatenate
from zoo.training import RankModel, RetrievalModel, ZooModel
from zoo.training.rank import unknown

CHUNK = 1024
"""Rows scored at once."""


@dataclass(frozen=True)
class Recommendation:
    """One item for one user: its raw id and its score, comparable within the list only."""

    item_id: str
    score: float


@dataclass(frozen=True)
class Bundle:
    """What `load_model` and `load_funnel` return.

    Attributes:
        store: Encoders, catalogue and what known users did.
        model: The model, or None for a funnel.
        funnel: The funnel, or None for a model.
    """

    store: Store
    model: ZooModel | None = None
    funnel: Funnel | None = None

    def recommend(
        self,
        user_id: str | None = None,
        history: History | None = None,
        k: int = 10,
        profile: Mapping[str, Any] | None = None,
    ) -> list[Recommendation]:
        """The best unseen items for a user; popular ones where the model finds too few.

        Args:
            user_id: Raw id; one that is not known is served as a new user.
            history: Raw item ids, newest first, in place of what is known of the user; or a mapping of
                behaviour to such ids.
            k: Items wanted.
            profile: Raw profile features, such as `{"age": 31}`, in place of what is known.

        Raises:
            UserError: `k` is below 1, the profile or history has an unknown name, or the model cannot
                recommend.
        """
        if k < 1:
            raise UserError(f"k must be at least 1, found {k}")
        profiles = {name: [value] for name, value in (profile or {}).items()}
        request = self.store.request([user_id], [history], profiles)
        found = self(request, k)
        return [
            Recommendation(self.store.encoder.items[item - 1], score)
            for item, score in zip(found.ids[0].tolist(), found.scores[0].tolist(), strict=True)
            if item
        ][:k]

    @torch.no_grad()
    def __call__(self, request: Request, k: int) -> Candidates:
        """The best `k` unseen items of encoded requests; a funnel gives at most what its last stage keeps."""
        if self.funnel is not None:
            return self.funnel(request)
        if isinstance(self.model, RetrievalModel):
            found = self.model.recall(request, k, request.features["seen"])
            return self._filled(self.model, request, found, k)
        if isinstance(self.model, RankModel):
            everything = torch.arange(1, self.model.schema.n_items + 1).expand(len(request), -1)
            unseen = SeenFilter()(request, Candidates.of(everything))
            return Score(self._predict, self._join(), k)(request, unseen)
        name = self.model.registry_name if self.model else "an empty bundle"
        raise UserError(f"{name} cannot recommend on its own: it reorders what other stages found")

    def _filled(self, model: RetrievalModel, request: Request, found: Candidates, k: int) -> Candidates:
        """What was found, and behind it popular unseen items where that is fewer than `k`.

        A model that knows only histories finds nothing for somebody without one, who is still to be served.
        """
        if found.ids.shape[1] >= k and bool(found.mask.all()):
            return found
        popular = self.store.catalogue["count"][1:].argsort(descending=True, stable=True) + 1
        others = popular.expand(len(request), -1)
        taken = torch.cat([request.features["seen"], found.ids], dim=1)
        others = others.masked_fill(is_member(others, taken), 0)
        behind = Candidates.of(others, model.score(request, others))
        return concatenate([found, behind]).compact(k)

    def score(self, rows: Any) -> dict[str, list[float]]:
        """Probabilities by task, or the score of a recall model, for pairs of user and item.

        Args:
            rows: A pandas or polars DataFrame, a mapping of columns, or a sequence of dicts; columns
                `user_id`, `item_id` and, in place of what is known, any profile feature.

        Raises:
            UserError: A column is missing, unknown or of another length, or a funnel was asked.
        """
        if self.model is None:
            raise UserError("a funnel scores what it recalls: use recommend, or score with one of its models")
        table = columns_of(rows)
        encoder = self.store.encoder
        for name in ("user_id", "item_id"):
            if name not in table:
                raise UserError(f"score: no column {name!r}{did_you_mean(name, table)}, found {list(table)}")
        users, items = list(map(str, table.pop("user_id"))), encoder.ids("item_id", table.pop("item_id"))
        parts: dict[str, list[float]] = {}
        for start in range(0, len(users), CHUNK):
            rows_ = slice(start, start + CHUNK)
            profiles = {name: values[rows_] for name, values in table.items()}
            request = self.store.request(users[rows_], None, profiles)
            for name, value in self._scores(request, items[rows_, None]).items():
                parts.setdefault(name, []).extend(value[:, 0].tolist())
        return parts

    @torch.no_grad()
    def _scores(self, request: Request, ids: Tensor) -> Batch:
        if isinstance(self.model, RetrievalModel):
            return {"score": self.model.score(request, ids)}
        if isinstance(self.model, RankModel):
            return self._predict(self._join()(request, Candidates.of(ids)))
        raise UserError("only recall, pre-rank and rank models score single items")

    def _join(self) -> FeatureJoin:
        assert self.model is not None
        choice = self.store.encoder.roles.choice
        return FeatureJoin(self.store.catalogue, self.model.schema, choice, self.store.live)

    def _predict(self, batch: Batch) -> Batch:
        """Probabilities; columns that only other stages could have made are taken to be average."""
        assert isinstance(self.model, RankModel)
        missing = [f for f in self.model.schema.having("column") if f.name not in batch]
        return self.model.probabilities(batch | {f.name: unknown(f, batch["item_id"]) for f in missing})


def columns_of(rows: Any) -> dict[str, list[Any]]:
    """Columns of a pandas or polars DataFrame, a mapping of columns, or a sequence of dicts.

    Raises:
        UserError: It is something else, or the columns differ in length.
    """
    if hasattr(rows, "columns"):
        return {str(name): rows[name].to_list() for name in rows.columns}
    if isinstance(rows, Mapping):
        table = {str(name): _column(name, values) for name, values in rows.items()}
    elif isinstance(rows, Sequence) and all(isinstance(row, Mapping) for row in rows):
        names = dict.fromkeys(name for row in rows for name in row)
        table = {str(name): [row.get(name) for row in rows] for name in names}
    else:
        found = type(rows).__name__
        raise UserError(f"score: expected a DataFrame, columns or a list of dicts, found {found}")
    if len({len(values) for values in table.values()}) > 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in table.items())
        raise UserError(f"score: columns differ in length: {lengths}")
    return table


def _column(name: object, values: Any) -> list[Any]:
    """A column's values; one value alone, as of a single dict, would be taken apart letter by letter."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UserError(f"score: column {name!r} is {values!r}, expected a list; put a single row in a list")
    return list(values)

"""Different finds for the same user: noise on the user vector, and events drawn from the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.core.config import demand
from zoo.core.errors import UserError, did_you_mean
from zoo.core.schema import Schema
from zoo.core.topk import without_repeats
from zoo.core.types import Batch
from zoo.layers.seeded import normals, row_key, uniforms


@dataclass(frozen=True)
class DiversityConfig:
    """How a user encoder is made to find more varied items; nothing of it by default.

    Attributes:
        noise: Length of the noise on a user vector of length 1, where interests are as narrow as can be.
        narrowness: Measured by the mean `cosine` of the history's item vectors, or as 1 minus the entropy of
            their `category`.
        newest: Newest events that always count; None for all, and none is drawn.
        sampled: Events drawn from the older ones.
        balanced: Draw them so that categories come in equal numbers, not uniformly.
        category: Item feature that is the category, by its first value; by default the first that could be.
        seed: Of all draws, with the request itself.
    """

    noise: float = 0.0
    narrowness: Literal["cosine", "category"] = "cosine"
    newest: int | None = None
    sampled: int = 0
    balanced: bool = False
    category: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        demand(
            (self.noise >= 0, f"noise must not be negative, found {self.noise}"),
            (self.newest is None or self.newest >= 0, f"newest must not be negative, found {self.newest}"),
            (self.sampled >= 0, f"sampled must not be negative, found {self.sampled}"),
            (
                self.newest is not None or not self.sampled,
                "sampled events are older than newest: give it too",
            ),
            (self.newest is None or self.newest + self.sampled > 0, "newest and sampled must not both be 0"),
        )

    @property
    def needs_category(self) -> bool:
        """Whether anything asks for the category of an item."""
        return self.balanced or (self.noise > 0 and self.narrowness == "category")


class Diversity(nn.Module):
    """The config at work; draws depend on the request alone, so they are the same at every serving.

    Args:
        schema: Of the batches.
        sequences: The histories that the user encoder reads, by feature name; the first tells the narrowness.
        length: Newest events of each that it reads.
        config: What to do.

    Raises:
        UserError: A category is needed, and there is none or not that one.
    """

    category: Tensor

    def __init__(self, schema: Schema, sequences: list[str], length: int, config: DiversityConfig) -> None:
        super().__init__()
        self.config, self.sequences, self.length = config, sequences, length
        self.moment = [f.name for f in schema.having("user_id", "context") if f.kind == "categorical"]
        self.feature = _category(schema, config.category) if config.needs_category else ""
        self.kinds = schema[self.feature].vocab - 1 if self.feature else 0
        self.register_buffer("category", torch.zeros(0, dtype=torch.int64), persistent=False)

    def attach(self, catalogue: Batch) -> None:
        """Takes the category of every item from its features `(n_items + 1, …)`."""
        if self.feature:
            values = catalogue[self.feature]
            self.category = (values if values.dim() == 1 else values[:, 0]).to(self.category.device)

    def histories(self, batch: Batch) -> list[Tensor]:
        """`(B, length)` item ids of each sequence, 0 where an event does not count."""
        parts = [batch[name][:, : self.length] for name in self.sequences]
        if self.config.newest is None:
            return parts
        key, category = self._key(batch), self._categories() if self.config.balanced else None
        return [
            newest_and_sampled(part, self.config.newest, self.config.sampled, key + number, category)
            for number, part in enumerate(parts)
        ]

    def perturbed(self, user: Tensor, batch: Batch, vectors: Tensor) -> Tensor:
        """Unit vectors `(B, D)` with noise, the more of it the narrower the interests.

        Args:
            user: `(B, D)` of length 1.
            batch: The requests.
            vectors: `(n_items + 1, D)` of all items, of length 1.
        """
        if not self.config.noise:
            return user
        history = batch[self.sequences[0]][:, : self.length]
        if self.config.narrowness == "cosine":
            narrow = mean_cosine(vectors, history)
        else:
            narrow = 1 - category_entropy(self._categories()[history], self.kinds)
        noise = normals(self._key(batch), user.shape[1]) / user.shape[1] ** 0.5
        return F.normalize(user + self.config.noise * narrow[:, None] * noise, dim=1)

    def _key(self, batch: Batch) -> Tensor:
        moment = [batch[name] for name in self.moment if name in batch]
        return row_key(
            [*(batch[name][:, : self.length] for name in self.sequences), *moment], self.config.seed
        )

    def _categories(self) -> Tensor:
        if not len(self.category):
            raise UserError("diversity by category: attach_catalogue or prepare first")
        return self.category


def mean_cosine(vectors: Tensor, history: Tensor) -> Tensor:
    """`(B,)` in [0, 1]: the mean cosine of two different events; 0 where there are fewer than two.

    Args:
        vectors: `(n_items + 1, D)` of length 1.
        history: `(B, L)` item ids, 0 is padding.
    """
    count = (history > 0).sum(1).float()
    total = F.embedding_bag(history, vectors, mode="sum", padding_idx=0)
    # |Σ v|² counts every pair twice, and every event with itself.
    pairs = (total.square().sum(1) - count) / (count * (count - 1)).clamp(min=1)
    return torch.where(count > 1, pairs, 0.0).clamp(0, 1)


def category_entropy(categories: Tensor, kinds: int) -> Tensor:
    """`(B,)` in [0, 1]: entropy of the categories of events `(B, L)` over the most it can be; of none, 1.

    Args:
        categories: Ids up to `kinds`, 0 is unknown or padding.
        kinds: How many there are.
    """
    count = torch.zeros(len(categories), kinds + 1, device=categories.device)
    count.scatter_add_(1, categories, torch.ones_like(categories, dtype=count.dtype))
    count[:, 0] = 0
    total = count.sum(1, keepdim=True)
    share = count / total.clamp(min=1)
    entropy = -torch.xlogy(share, share).sum(1) / max(torch.tensor(float(kinds)).log().item(), 1e-9)
    return torch.where(total[:, 0] > 0, entropy, 1.0).clamp(0, 1)


def newest_and_sampled(
    history: Tensor, newest: int, sampled: int, key: Tensor, category: Tensor | None = None
) -> Tensor:
    """`(B, L)` the history with 0 in place of events that are neither among the newest nor drawn.

    Events keep their places, so that their age is known.

    Args:
        history: `(B, L)` item ids, newest first, 0 is padding.
        newest: Events that always stay.
        sampled: Events drawn of the rest, all where there are fewer.
        key: `(B,)` of the draw.
        category: `(n_items + 1,)` by which to draw in equal numbers; None to draw uniformly.
    """
    older = (history > 0) & (torch.arange(history.shape[1], device=history.device) >= newest)
    drawn = _drawn(history, older, sampled, key, category)
    return history.masked_fill(older & ~drawn, 0)


def draw_seeds(history: Tensor, category: Tensor, count: int, key: Tensor) -> Tensor:
    """Seeds of user→item→item recall: distinct items of a history, of every category as many as can be.

    Args:
        history: `(B, L)` item ids, newest first, 0 is padding.
        category: `(n_items + 1,)` of each item.
        count: Seeds wanted.
        key: `(B,)` of the draw, from `row_key`.

    Returns:
        `(B, count)` item ids, the newest first, 0 where a history has fewer.
    """
    distinct = without_repeats(history)
    drawn = _drawn(distinct, distinct > 0, count, key, category)
    place = (~drawn).int().argsort(dim=1, stable=True)[:, :count]
    seeds = distinct.masked_fill(~drawn, 0).gather(1, place)
    return F.pad(seeds, (0, count - seeds.shape[1]))


def _drawn(history: Tensor, eligible: Tensor, count: int, key: Tensor, category: Tensor | None) -> Tensor:
    """`(B, L)` bool, `count` of the eligible events: those whose turn comes first, by lot among equals."""
    lot = uniforms(key, history.shape[1]).masked_fill(~eligible, 2.0)
    turn = lot if category is None else lot + _turns(category[history].masked_fill(~eligible, -1), lot)
    order = turn.masked_fill(~eligible, torch.inf).argsort(dim=1)[:, :count]
    return torch.zeros_like(eligible).scatter_(1, order, True) & eligible


def _turns(groups: Tensor, lot: Tensor) -> Tensor:
    """`(B, L)` how many of the same group have a lower lot: each group's first comes before any second."""
    by_lot = lot.argsort(dim=1)
    order = by_lot.gather(1, groups.gather(1, by_lot).argsort(dim=1, stable=True))
    grouped = groups.gather(1, order)
    place = torch.arange(groups.shape[1], device=groups.device).expand(groups.shape)
    starts = torch.ones_like(grouped, dtype=torch.bool)
    starts[:, 1:] = grouped[:, 1:] != grouped[:, :-1]
    first = place.masked_fill(~starts, 0).cummax(dim=1).values
    return torch.zeros_like(lot).scatter_(1, order, (place - first).to(lot.dtype))


def _category(schema: Schema, name: str) -> str:
    """The item feature that is the category."""
    valid = [feature.name for feature in schema.having("item") if feature.kind in ("categorical", "multi")]
    if not valid:
        raise UserError("diversity by category: the items have no categorical feature")
    if name and name not in valid:
        near = did_you_mean(name, valid)
        raise UserError(f"diversity.category: no categorical item feature {name!r}{near}, found {valid}")
    # A number's bins are no categories, so a feature of names comes first.
    return name or next((n for n in valid if not schema[n].ordered), valid[0])

"""Items that similar users chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from zoo.core.config import ModelConfig, demand
from zoo.core.registry import register
from zoo.core.schema import Schema
from zoo.core.topk import without_repeats
from zoo.core.types import Batch, Candidates, Request
from zoo.training import CountingModel, Likes, LikesGathered, decay, power

CHUNK = 1024
"""Users whose neighbours are sought at once when fitting."""


@dataclass(frozen=True)
class UserCFConfig(ModelConfig):
    """Options of `recall/user_cf`; the defaults are those of the course.

    Attributes:
        behaviour: Events that count as liking an item.
        neighbours: Similar users whose items are recommended.
        popularity: What a common item l says, `log` 1 / log(1 + n_l) or `none` 1 for all.
        activity_power: α of `sim(u, v) = Σ_l … / (|J_u| |J_v|)^α`; ½ is the cosine.
        target_power: The recommended item's popularity to this power divides its score.
        history_length: Newest items of a similar user that are recommended, the course's lastN.
        half_life: An item of a similar user counts half after this many newer ones; None for all the same.
    """

    behaviour: str = "watch"
    neighbours: int = 50
    popularity: Literal["log", "none"] = "log"
    activity_power: float = 0.5
    target_power: float = 0.0
    history_length: int = 200
    half_life: float | None = None

    def __post_init__(self) -> None:
        demand(
            (self.neighbours >= 1, f"neighbours must be at least 1, found {self.neighbours}"),
            (self.history_length >= 1, f"history_length must be at least 1, found {self.history_length}"),
            (self.half_life is None or self.half_life > 0, "half_life must be above 0 or null"),
        )


@register
class UserCF(CountingModel):
    """Items of similar users: `score(u, i) = Σ_v sim(u, v) · like(v, i)`, v among the k most similar to u.

    "An Algorithmic Framework for Performing Collaborative Filtering" (Herlocker, Konstan, Borchers, Riedl,
    SIGIR 1999, https://doi.org/10.1145/312624.312682). Unlike in the paper, likes are binary, so that users
    are similar by the items they share, and popular items count less, as Breese et al. (UAI 1998) propose.

    Similar users are those of the request's history, whoever asks, so that new users are served and a known
    one is served by what is newest. For a known user whose history is as it was when the model was fitted
    they are looked up.

    Attributes:
        users: `(U,)` keys of the known users, ascending; they are the numbers 1 to U.
        likers: By item, who likes it, with what that says; `likers_offsets`, `likers_weights`.
        likes: By user number, the newest items and their weights; `likes_offsets`, `likes_weights`.
        nearest: `(U + 1, k)` numbers of similar users, `nearness` how similar they are.
        known: `(U + 1,)` fingerprint of each user's items.
    """

    Config: ClassVar[type[ModelConfig]] = UserCFConfig

    def __init__(self, schema: Schema, config: UserCFConfig) -> None:
        super().__init__(schema, config)
        self.config = config
        self.sequence = schema.history(config.behaviour).name
        for name in ("likers", "likes"):
            self.register_buffer(f"{name}_offsets", torch.zeros(0, dtype=torch.int64))
            self.register_buffer(name, torch.zeros(0, dtype=torch.int32))
            self.register_buffer(f"{name}_weights", torch.zeros(0))
        self.register_buffer("users", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("nearest", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("nearness", torch.zeros(0))
        self.register_buffer("known", torch.zeros(0, dtype=torch.int64))
        self.start()

    def start(self) -> None:
        """No user has come yet."""
        self._gathered = LikesGathered(self.sequence)

    def count(self, batch: Batch) -> None:
        """Keeps who likes what."""
        self._gathered.add(batch)

    def finish(self) -> None:
        """Builds the two tables, and looks for the similar users of everybody."""
        likes = self._gathered.all()
        self.users = torch.from_numpy(likes.users)
        self._fill_tables(likes)
        numbers = torch.arange(1, len(likes.users) + 1)
        self.nearest = torch.zeros(len(numbers) + 1, self.config.neighbours, dtype=torch.int64)
        self.nearness = torch.zeros(self.nearest.shape)
        self.known = torch.zeros(len(numbers) + 1, dtype=torch.int64)
        for chunk in numbers.split(CHUNK):
            history = likes.padded(int(chunk[0]) - 1, int(chunk[-1]))
            self.nearest[chunk], self.nearness[chunk] = self._similar(history, chunk)
            self.known[chunk] = fingerprint(history)
        self.start()

    def _fill_tables(self, likes: Likes) -> None:
        from zoo.kernels.likes import newest

        config, size = self.config, self.schema.n_items + 1
        by_item = likes.by_item(size)
        likers, popularity, activity = by_item.likers, by_item.popularity, by_item.activity
        says = 1 / np.log1p(np.maximum(popularity, 1)) if config.popularity == "log" else np.ones(size)
        weights = (
            np.repeat(says.astype(np.float32), popularity) * power(activity, config.activity_power)[likers]
        )
        self._keep("likers", by_item.offsets, likers + np.uint32(1), weights)
        ends, items, places = newest(likes.offsets, likes.items, size, config.history_length)
        weights = decay(config.history_length, config.half_life)[places]
        weights = weights * power(popularity, config.target_power)[items]
        self._keep("likes", np.concatenate([[0], ends]), items, weights)

    def _keep(self, name: str, offsets: Any, columns: Any, weights: Any) -> None:
        setattr(self, f"{name}_offsets", torch.from_numpy(offsets))
        setattr(self, name, torch.from_numpy(columns.view(np.int32)))
        setattr(self, f"{name}_weights", torch.from_numpy(weights))

    def _table(self, name: str) -> tuple[Any, Any, Any, Any]:
        offsets, columns = getattr(self, f"{name}_offsets").numpy(), getattr(self, name).numpy()
        return offsets[:-1], offsets[1:], columns.view(np.uint32), getattr(self, f"{name}_weights").numpy()

    def _similar(self, history: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers and similarities `(B, k)` of the users most similar to histories `(B, L)`.

        Args:
            history: Item ids.
            own: `(B,)` numbers of the users themselves, 0 for new ones.
        """
        from zoo.kernels.votes import recalled

        distinct = without_repeats(history)
        size = (distinct > 0).sum(1, keepdim=True).numpy()
        ones = np.broadcast_to(np.float32(1), distinct.shape)
        table, count = self._table("likers"), len(self.users) + 1
        ids, votes = recalled(
            distinct.numpy(), ones, own[:, None].numpy(), table, count, self.config.neighbours
        )
        return torch.from_numpy(ids), torch.from_numpy(votes * power(size, self.config.activity_power))

    def _neighbours(self, request: Request) -> tuple[Any, Any]:
        """Numbers and similarities `(B, k)` of the users most similar to those that ask."""
        history = request.features[self.sequence].cpu()
        own = self._numbers(request)
        ids, weights = self.nearest[own], self.nearness[own]
        other = ((own == 0) | (fingerprint(history) != self.known[own])).nonzero().squeeze(1)
        if len(other):
            ids[other], weights[other] = self._similar(history[other], own[other])
        return ids.numpy(), weights.numpy()

    def _numbers(self, request: Request) -> Tensor:
        """`(B,)` numbers of the users, 0 for new ones."""
        keys = request.features.get("user_id")
        if keys is None or not len(self.users):
            return torch.zeros(len(request), dtype=torch.int64)
        place = torch.searchsorted(self.users, keys.cpu()).clamp(max=len(self.users) - 1)
        return torch.where(self.users[place] == keys.cpu(), place + 1, 0)

    @torch.no_grad()
    def recall(self, request: Request, k: int, exclude: Tensor | None = None) -> Candidates:
        """The best `k` items of similar users that are not excluded."""
        from zoo.kernels.votes import recalled

        users, weights = self._neighbours(request)
        excluded = users[:, :0] if exclude is None else exclude.cpu().numpy()
        k, count = min(k, self.schema.n_items), self.schema.n_items + 1
        args = (np.ascontiguousarray(excluded), self._table("likes"), count, k)
        ids, scores = recalled(users, weights, *args)
        return Candidates.of(torch.from_numpy(ids), torch.from_numpy(scores))

    def search(self, request: Request, k: int) -> tuple[Tensor, Tensor]:
        """The best `k` items of similar users."""
        found = self.recall(request, k)
        return found.ids, found.scores

    def score(self, request: Request, ids: Tensor) -> Tensor:
        """`(B, K)`, 0 for what no similar user likes."""
        from zoo.kernels.votes import scored

        users, weights = self._neighbours(request)
        wanted = np.ascontiguousarray(ids.cpu().numpy())
        return torch.from_numpy(scored(users, weights, self._table("likes"), self.schema.n_items + 1, wanted))


def fingerprint(history: Tensor) -> Tensor:
    """`(B,)` int64 that tells histories `(B, L)` apart that hold other items, whatever their order."""
    x = without_repeats(history)
    code = x * 0x2545F4914F6CDD1D
    code = (code ^ (code >> 32)) * 0x369DEA0F31A53F85
    return (code ^ (code >> 29)).masked_fill(x == 0, 0).sum(1)

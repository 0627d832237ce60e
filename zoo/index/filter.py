"""Id sets that a search keeps to: a filter allows only its ids, or denies them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

IdSet: TypeAlias = "Tensor | np.ndarray[Any, Any] | Sequence[int]"


@dataclass(frozen=True, eq=False)
class Allow:
    """Only these ids may be found; unknown ones are passed over."""

    ids: IdSet

    def keep(self, ids: Tensor) -> Tensor:
        """`(N,)` bool, whether each of `ids` `(N,)` may be found."""
        return torch.isin(ids, _tensor(self.ids, ids))


@dataclass(frozen=True, eq=False)
class Deny:
    """All ids but these may be found."""

    ids: IdSet

    def keep(self, ids: Tensor) -> Tensor:
        """`(N,)` bool, whether each of `ids` `(N,)` may be found."""
        return ~torch.isin(ids, _tensor(self.ids, ids))


Filter: TypeAlias = Allow | Deny


def _tensor(ids: IdSet, like: Tensor) -> Tensor:
    return torch.as_tensor(ids, dtype=torch.int64, device=like.device).flatten()

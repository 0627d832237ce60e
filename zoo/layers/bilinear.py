"""What FiBiNET does with fields: weighs them, and lets every two interact through a matrix."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Sharing = Literal["all", "each", "interaction"]
Product = Literal["hadamard", "inner"]


class SENet(nn.Module):
    """Fields `(B, K, F, D)` weighed by what all of them say: squeeze to means, excite, multiply.

    Args:
        size: Number of fields F.
        reduction: The layer between has F / reduction units, at least one.
    """

    def __init__(self, size: int, reduction: int = 3) -> None:
        super().__init__()
        between = max(1, size // reduction)
        self.squeeze = nn.Linear(size, between, bias=False)
        self.excite = nn.Linear(between, size, bias=False)

    def forward(self, request: Tensor, candidate: Tensor) -> Tensor:
        """`(B, K, F, D)` for `(B, Fr, D)`, which every candidate weighs anew, and `(B, K, Fc, D)`."""
        shape = (-1, candidate.shape[1], -1, -1)
        fields = torch.cat([request[:, None].expand(shape), candidate], dim=2)
        weights = self.excite(self.squeeze(fields.mean(-1)).relu()).relu()
        return fields * weights[..., None]


class Bilinear(nn.Module):
    """Every two fields i < j through a matrix: `(W x_i) ∘ x_j`, or `x_jᵀ W x_i` as one number.

    Args:
        size: Number of fields F.
        dim: Of a field.
        sharing: One W for `all`, one for `each` left field i, or one for each `interaction` (i, j).
        product: `hadamard` for a vector a pair, `inner` for a number.

    Attributes:
        dim: Width of the output.
    """

    left: Tensor
    right: Tensor

    def __init__(self, size: int, dim: int, sharing: Sharing = "interaction", product: Product = "hadamard"):
        super().__init__()
        left, right = torch.triu_indices(size, size, offset=1)
        self.register_buffer("left", left, persistent=False)
        self.register_buffer("right", right, persistent=False)
        matrices = {"all": 1, "each": size - 1, "interaction": len(left)}[sharing]
        bound = 1 / math.sqrt(dim)
        self.weight = nn.Parameter(torch.empty(matrices, dim, dim).uniform_(-bound, bound))
        self.sharing, self.product = sharing, product
        self.dim = len(left) * (dim if product == "hadamard" else 1)

    def forward(self, request: Tensor, candidate: Tensor) -> Tensor:
        """`(B, K, dim)` for fields `(B, Fr, D)` and `(B, K, Fc, D)`, pairs in the order (0, 1), (0, 2), ….

        Left fields of the request meet their matrices once for all candidates, and each other too.
        """
        first, wide = request.shape[1], (-1, candidate.shape[1], -1, -1)
        of_request = self.left < first
        both, mixed = self.right < first, of_request & (self.right >= first)
        turned = self._turned(request, 0)
        inside = self._product(turned[:, both[of_request]], request[:, self.right[both]])
        across = self._product(
            turned[:, mixed[of_request]][:, None], candidate[:, :, self.right[mixed] - first]
        )
        rest = self.right[~of_request] - first
        behind = self._product(self._turned(candidate, first), candidate[:, :, rest])
        found = torch.cat([inside[:, None].expand(wide), across, behind], dim=2)
        order = torch.cat([mask.nonzero().squeeze(1) for mask in (both, mixed, ~of_request)])
        return found[:, :, order.argsort()].flatten(2)

    def _turned(self, fields: Tensor, first: int) -> Tensor:
        """`(…, P, D)`: W x_i for every pair whose left field is among these, which begin at `first`."""
        end = first + fields.shape[-2]
        pairs = (self.left >= first) & (self.left < end)
        places = self.left[pairs] - first
        if self.sharing == "interaction":
            return torch.einsum("...pd,ped->...pe", fields[..., places, :], self.weight[pairs])
        if self.sharing == "all":
            return (fields @ self.weight[0].T)[..., places, :]
        lefts = fields[..., : len(self.weight) - first, :]
        return torch.einsum("...fd,fed->...fe", lefts, self.weight[first:end])[..., places, :]

    def _product(self, turned: Tensor, other: Tensor) -> Tensor:
        found = turned * other
        return found if self.product == "hadamard" else found.sum(-1, keepdim=True)

"""Item vectors from the spectrum of who chose what: where an embedding model can start."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

ROUNDS, SPARE = 6, 16
"""Rounds and spare dimensions of the subspace iteration; the wanted ones are exact to about a per cent."""


def spectral_items(user: Tensor, item: Tensor, n_items: int, dim: int, power: float = 0.0) -> Tensor:
    """`(n_items + 1, dim)` leading right singular vectors of the normalised matrix of users and items.

    An event of user u and item i is 1 / sqrt(events of u · events of i). The inner product of such vectors is
    the ideal low-pass filter of "How Powerful is Graph Convolution for Recommendation?" (Shen et al., CIKM
    2021, https://arxiv.org/abs/2108.07567), found by subspace iteration from a random start ("Finding
    Structure with Randomness", Halko et al., SIAM Review 2011).

    Args:
        user: `(E,)` row of the user of each event.
        item: `(E,)` item ids from 1 on.
        n_items: Of the catalogue.
        dim: Vectors wanted; there are at most as many as items or users, and the rest are 0.
        power: Each is scaled by its singular value to this power.

    Returns:
        Orthogonal columns, the strongest first; rows of padding and of items without events are 0.
    """
    users = int(user.max()) + 1 if len(user) else 1
    degree_u = torch.bincount(user, minlength=users).clamp(min=1).float()
    degree_i = torch.bincount(item, minlength=n_items + 1).clamp(min=1).float()
    value = (degree_u[user] * degree_i[item]).rsqrt()
    matrix = _csr(user, item, value, (users, n_items + 1))
    turned = _csr(item, user, value, (n_items + 1, users))
    width = min(dim + SPARE, users, n_items + 1)
    basis = turned @ torch.randn(users, width)
    for _ in range(ROUNDS):
        basis = turned @ (matrix @ torch.linalg.qr(basis).Q)
    basis = torch.linalg.qr(basis).Q
    image = matrix @ basis
    squares, turn = (x.flip(-1) for x in torch.linalg.eigh(image.T @ image))
    vectors = torch.zeros(n_items + 1, dim)
    vectors[:, : min(dim, width)] = (basis @ turn * squares.clamp(min=0).pow(power / 2))[:, :dim]
    vectors[torch.bincount(item, minlength=n_items + 1) == 0] = 0
    return vectors


def _csr(row: Tensor, column: Tensor, value: Tensor, size: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():  # That its layout is in beta is known.
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_coo_tensor(torch.stack([row, column]), value, size).to_sparse_csr()

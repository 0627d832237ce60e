"""Draws that belong to a request: the same whenever it is asked, whoever else is in the batch."""

from __future__ import annotations

import torch
from torch import Tensor

# SplitMix64 (Steele et al., OOPSLA 2014) in 64 bits that wrap around; its constants as signed numbers.
GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_FIRST, _SECOND = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64


def mix(x: Tensor) -> Tensor:
    """The finaliser of SplitMix64, int64 to int64."""
    x = (x ^ _right(x, 30)) * _FIRST
    x = (x ^ _right(x, 27)) * _SECOND
    return x ^ _right(x, 31)


def row_key(parts: list[Tensor], seed: int = 0) -> Tensor:
    """`(B,)` int64 hash of each row of ids, in which more padding changes nothing.

    Args:
        parts: `(B,)` or `(B, L)` int64 ids, 0 is padding.
        seed: Another one gives other keys.
    """
    key = torch.full((len(parts[0]),), seed, dtype=torch.int64, device=parts[0].device)
    for number, part in enumerate(parts):
        ids = part.reshape(len(part), part.shape[1] if part.dim() > 1 else 1)
        place = torch.arange(ids.shape[1], device=ids.device) + (number << 32)
        key = mix(key + GOLDEN) + mix(ids * GOLDEN + mix(place)).masked_fill(ids == 0, 0).sum(1)
    return mix(key)


def uniforms(key: Tensor, count: int) -> Tensor:
    """`(B, count)` float64 in (0, 1) from keys `(B,)`; the first ones do not depend on `count`."""
    step = torch.arange(1, count + 1, device=key.device) * GOLDEN
    # The upper 53 bits, as many as a float64 holds, at the middle of their interval.
    return (_right(mix(key[:, None] + step), 11).double() + 0.5) * 2.0**-53


def normals(key: Tensor, count: int) -> Tensor:
    """`(B, count)` float32 of a standard normal, likewise."""
    return torch.special.ndtri(uniforms(key, count)).float()


def _right(x: Tensor, bits: int) -> Tensor:
    """A shift to the right that fills with zeros; torch's own repeats the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)

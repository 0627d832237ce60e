"""Epochs of an MLP above `history: din` beside the fastest peer, see `benchmarks.speed.ctr`."""

from __future__ import annotations

from functools import partial

from benchmarks.speed import ctr

measure = partial(ctr.measure, "din")

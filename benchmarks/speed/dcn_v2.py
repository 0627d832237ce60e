"""Epochs of `rank/dcn_v2` beside the fastest peer, see `benchmarks.speed.ctr`."""

from __future__ import annotations

from functools import partial

from benchmarks.speed import ctr

measure = partial(ctr.measure, "dcn_v2")

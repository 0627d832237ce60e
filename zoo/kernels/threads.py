"""Kernels in threads: they release the GIL, so blocks of work run side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

BLOCKS = 8
"""Blocks a thread, so that one that is done early takes over from the others."""


def in_threads(work: Callable[[T], R], jobs: Sequence[T]) -> list[R]:
    """`work(job)` of all jobs, in their order, in as many threads as torch may use."""
    threads = min(torch.get_num_threads(), len(jobs))
    if threads <= 1:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, jobs))


def ranges(rows: int, least: int = 1) -> list[tuple[int, int]]:
    """`rows` cut into blocks of like size, of at least `least` rows, start and stop of each."""
    threads = torch.get_num_threads()
    blocks = max(1, min(BLOCKS * threads if threads > 1 else 1, rows // least))
    edges = [rows * block // blocks for block in range(blocks + 1)]
    return list(pairwise(edges))

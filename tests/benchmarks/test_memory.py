"""What is freed is kept while a model is fitted, and only then."""

from __future__ import annotations

import ctypes
import resource

import pytest
import torch

from benchmarks.memory import kept_memory


def faults() -> int:
    """Pages that the system hands out while 64 MiB are taken, filled and freed five times."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(16 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc is told")
def test_memory_is_handed_out_once() -> None:
    outside = faults()
    with kept_memory():
        faults()
        inside = faults()
    # Not a number of pages, which may be large ones.
    assert inside < outside / 5 and inside < faults() / 5

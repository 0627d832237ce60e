"""Memory that one step frees stays for the next."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
"""Names of glibc's `mallopt`."""

KEEP = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 1 << 26}
BACK = {MMAP_MAX: 1 << 16, TRIM_THRESHOLD: 1 << 26, TOP_PAD: 1 << 17}


@contextmanager
def kept_memory() -> Iterator[None]:
    """Within it, what is freed is not given back to the system; afterwards it is. Only where there is glibc.

    Training takes and frees the same large tensors in every step. The system hands out new memory in pages of
    4 KiB, each of which it fills with zeros when it is first touched: that is a fourth of a step of DIN.
    """
    library: Any = ctypes.CDLL(None) if os.name == "posix" else None
    if not (hasattr(library, "mallopt") and hasattr(library, "malloc_trim")):
        yield
        return
    for name, value in KEEP.items():
        library.mallopt(name, value)
    try:
        yield
    finally:
        for name, value in BACK.items():
            library.mallopt(name, value)
        library.malloc_trim(0)

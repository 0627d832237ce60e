"""What a number was measured on, and with which code and libraries."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import subprocess
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("torch", "pytorch-lightning", "torchmetrics", "numpy", "hnswlib", "datasets", "omegaconf")


def machine(workers: int) -> dict[str, str | float]:
    """CPU, cores, threads, memory, device and Python, and how many runs shared the machine."""
    import torch

    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "workers": workers,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def libraries() -> dict[str, str]:
    """Versions of what the numbers may depend on."""
    return {name: version(name) for name in LIBRARIES}


def code_version() -> str:
    """The git commit, `-dirty` if files differ from it; `unknown` outside a repository."""
    root = Path(__file__).parents[1]

    def git(*args: str) -> str:
        return subprocess.run(
            ["git", *args], cwd=root, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


class PeakMemory:
    """Largest resident memory of this process while entered, where the system can tell (Linux)."""

    def __enter__(self) -> PeakMemory:
        with contextlib.suppress(OSError):  # the peak since the process began is still an upper bound
            Path("/proc/self/clear_refs").write_text("5")
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def peak_mib(self) -> float:
        """In MiB."""
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
            return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
        except (OSError, StopIteration):
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

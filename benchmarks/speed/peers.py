"""Other libraries to measure beside ours, each in a venv of its own that is made when first needed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PEERS = {
    "implicit": ["implicit==0.7.3"],
    "torch-rechub": ["torch==2.13.0", "torch-rechub==0.9.0"],
    "recbole": ["torch==2.13.0", "numpy<2", "scipy<1.12", "setuptools<81", "recbole==1.2.1"],
    "fuxictr": ["torch==2.13.0", "fuxictr==2.3.10"],
    "deepctr-torch": ["torch==2.13.0", "requests", "pandas", "deepctr-torch==0.3.0"],
}
"""What is installed for each; torch first and pinned, as a range fetches a build for GPUs."""


def python_of(peer: str) -> Path:
    """The interpreter of a peer's venv, below `$ZOO_CACHE`; making it takes minutes and says so."""
    wanted = PEERS[peer]
    root = Path(os.environ.get("ZOO_CACHE") or Path.home() / ".cache" / "funnelzoo") / "peers"
    folder = root / f"{peer}-{hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:8]}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"installing {peer} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        first = [name for name in wanted if name.startswith("torch==")]
        for names in (first, wanted):
            if names:
                subprocess.run([*pip, *names], check=True)
        (folder / "complete").touch()
    return python


def run_peer(peer: str, script: Path, *arguments: str, threads: int = 1) -> dict[str, Any]:
    """Runs a script in the peer's venv; its last line of output is JSON.

    Args:
        peer: One of `PEERS`.
        script: A file that imports the peer and nothing of ours.
        arguments: Of the script.
        threads: Of OpenMP, BLAS and torch.

    Raises:
        SystemExit: It failed; with what it printed.
    """
    limits = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | limits
    environment["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # RecBole reads its own old checkpoints.
    command = [str(python_of(peer)), str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{peer}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found

"""The tests of all indexes, for Milvus in a process of its own: its embedded server may never answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS, TURNS = 120, 3


@pytest.mark.skipif("ZOO_TEST_MILVUS" in os.environ, reason="this is that process")
def test_milvus_passes_what_all_indexes_do() -> None:
    """A server that hangs is given another turn; whatever fails, fails."""
    command = [sys.executable, "-m", "pytest", "-q", "-k", "milvus", str(Path(__file__).parent)]
    environment = {**os.environ, "ZOO_TEST_MILVUS": "1"}
    for _ in range(TURNS):
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            output, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            continue
        assert process.returncode == 0, output
        return
    pytest.fail(f"no answer from Milvus within {SECONDS} s, {TURNS} times")

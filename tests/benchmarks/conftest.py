from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_suite import build, fake_models


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder has the fake configs, the registry the fake models."""
    build(tmp_path)
    monkeypatch.chdir(tmp_path)
    with fake_models():
        yield tmp_path / "configs"

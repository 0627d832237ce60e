"""The embedded Milvus of these tests is stopped behind the last of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.index.kinds import stop_milvus


@pytest.fixture(scope="session", autouse=True)
def _stops_milvus() -> Iterator[None]:
    yield
    stop_milvus()

"""The generated pages are those of the sources, and the picture is that of the funnel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from benchmarks.intervals import Interval
from docs.build import built, stale
from docs.pages import page
from docs.results import NONE, cell, markdown, published
from zoo.core.registry import list_models

ROOT = Path(__file__).parents[2]


def test_the_committed_pages_are_up_to_date() -> None:
    old = [path.as_posix() for path, text in built().items() if (ROOT / path).read_text() != text]
    assert not old and not stale(), "run `make docs`"


def test_every_model_has_a_page_with_its_options_and_config() -> None:
    text = page("recall/item_cf", [])
    assert "| `half_life` | `float \\| None` | `null` |" in text
    assert (ROOT / "configs/recall/item_cf.yaml").read_text().strip() in text
    assert {path.relative_to(ROOT / "docs/models").with_suffix("").as_posix() for path in
            (ROOT / "docs/models").glob("*/*.md")} == set(list_models())  # fmt: skip


def test_a_board_without_records_says_how_to_get_some(tmp_path: Path) -> None:
    assert markdown(published(tmp_path)) == NONE


@pytest.mark.parametrize(
    ("metric", "interval", "text"),
    [
        ("recall@20", Interval(0.25, 0.2, 0.3), "0.250 [0.200, 0.300]"),
        ("recall@20", Interval(0.25), "0.250"),
        ("latency_ms/p50", Interval(1.25), "1.25"),
        ("recall@20", None, "–"),
    ],
)
def test_a_cell_says_mean_and_interval(metric: str, interval: Interval | None, text: str) -> None:
    assert cell(metric, interval) == text


def test_the_picture_shows_the_numbers_of_the_funnel() -> None:
    picture = (ROOT / "docs/funnel.svg").read_text()
    shown = re.findall(r'class="count"[^>]*>([^<]+)<', picture)
    options: dict[str, dict] = {}
    for stage in yaml.safe_load((ROOT / "configs/funnels/ml-100k.yaml").read_text())["stages"]:
        options |= stage
    channels = options["recall"]["channels"]
    (quota,) = {channel["quota"] for channel in channels}
    light = options["prerank"]["keep"]
    numbers = [f"{len(channels)} × {quota}", f"≤ {options['exposure']['keep']}", *[f"{light}"] * 3]
    assert shown == [*numbers, f"{options['rerank']['keep']}"]
    for name in (
        *(channel["entry"] for channel in channels),
        *(options[s]["entry"] for s in ("prerank", "rank", "rerank")),
    ):
        assert name.split("/")[1] in picture

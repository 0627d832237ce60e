"""The site: what it says, what it does not load, and what it does not overwrite."""

import re
from html.parser import HTMLParser

import pytest

from benchmarks.record import RecordError
from leaderboard.aggregate import boards, rows
from leaderboard.build import build
from leaderboard.load import find, read
from tests.leaderboard.conftest import make_run

HOSTILE = "recall/../<script>alert('x')</script>\"&"


class Page(HTMLParser):
    """The tags of a page; fails where an element is closed that was not open."""

    void = ("meta", "link", "br")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag == self.open.pop()

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def site(runs, tmp_path):
    make_run(runs, HOSTILE, 0.2, metric="ndcg@10")
    return build(read(find(runs)), tmp_path / "site").parent


def entry(site, part):
    (path,) = (path for path in (site / "entries").glob("*.html") if part in path.name)
    return path.read_text()


def test_pages_load_nothing_from_elsewhere(site):
    for path in site.rglob("*.html"):
        page = Page(path.read_text())
        targets = [attrs.get(key) for _, attrs in page.tags for key in ("href", "src") if attrs.get(key)]
        for target in targets:
            assert not re.match(r"[a-z]+:|//", target)
            assert target.startswith("#") or (path.parent / target).is_file()
    for path in (site / "static").iterdir():
        assert not re.search(r"https?:|url\(|@import", path.read_text())


def test_index_shows_values_intervals_and_verdicts(site, runs):
    text = (site / "index.html").read_text()
    for board in boards(rows(read(find(runs)))):
        for row in board.rows:
            interval = row.metrics[board.metric]
            assert f'data-value="{interval.mean}">{interval.mean:.4f}<small>{interval.lo:.4f} ' in text
            assert f" {interval.hi:.4f}</small>" in text
    assert "against recall/two_tower, the best here" in text
    assert "against recall/popular" in text
    assert "against rank/lr" in text
    assert '<td class="verdict better">better</td>' in text
    assert "UserError: no &lt;column&gt; &#39;time&#39;" in text


def test_rows_are_sorted_and_headings_say_so(site):
    text = (site / "index.html").read_text()
    order = [text.index(f">recall/{name}</a>") for name in ("two_tower", "item_cf", "popular")]
    assert order == sorted(order)
    page = Page(text)
    sorting = [attrs["aria-sort"] for attrs in page.all("th") if "aria-sort" in attrs]
    assert sorting.count("descending") == 4
    assert all(attrs.get("scope") in ("col", "row") for attrs in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]


def test_a_hostile_entry_is_only_text(site):
    for path in site.rglob("*.html"):
        text = path.read_text()
        assert "<script>" not in text
        assert [set(attrs) for attrs in Page(text).all("script")] == [{"src", "defer"}]
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in (site / "index.html").read_text()
    assert all(path.parent == site / "entries" for path in site.rglob("*alert*"))


def test_an_entry_page_says_how_to_make_it_again(site):
    text = entry(site, "recall-item_cf")
    for seed in range(3):
        assert f"python -m benchmarks run configs/recall/item_cf.yaml seed={seed}" in text
        assert f'<th scope="col" class="n">seed {seed}</th>' in text
    for part in (
        "model: recall/item_cf",
        "note: plain",
        "Some CPU",
        "2.13.0",
        "requests_with_target",
        "abc1234",
    ):
        assert part in text


def test_a_funnel_page_draws_survival_latency_and_finds(site):
    text = entry(site, "funnels-ml-100k")
    assert 'aria-label="Survival of targets: recall 0.7500, rank 0.5000"' in text
    assert 'width="75.0%"' in text
    assert 'aria-label="Unique finds: item_cf 31"' in text
    assert text.index('<th scope="row">rank</th>') < text.index('<th scope="row">whole request</th>')
    assert re.search(r'rank</th>\s*<td class="n">0.400</td><td class="n">—</td><td class="n">2.50</td>', text)


def test_building_again_replaces_the_site_and_nothing_else(site, runs, tmp_path):
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    (site / "entries" / "stale.html").touch()
    build(read(find(runs)), site)
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "site"]
    assert site.stat().st_mode & 0o777 == 0o755


def test_what_is_not_a_site_is_not_overwritten(tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path, tmp_path / "file"):
        with pytest.raises(RecordError, match="expected an empty folder or a site"):
            build([], out)
    (tmp_path / "empty").mkdir()
    assert "No record of a finished run yet" in build([], tmp_path / "empty").read_text()


def test_a_build_that_fails_leaves_the_old_site(site, runs, monkeypatch):
    monkeypatch.setattr("leaderboard.build.comparisons", lambda *_: 1 / 0)
    before = (site / "index.html").read_bytes()
    with pytest.raises(ZeroDivisionError):
        build(read(find(runs)), site)
    assert (site / "index.html").read_bytes() == before
    assert not list(site.parent.glob(".site*"))

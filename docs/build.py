"""`python -m docs.build` (or `make docs`): writes docs/models/, docs/results.md and tables of README.md."""

from __future__ import annotations

import re
from pathlib import Path

from docs.pages import ROOT, pages
from docs.results import markdown, plain, published

MARKER = re.compile(r"(<!-- results -->\n).*(<!-- /results -->)", re.DOTALL)

FIRST = "ml-100k"
"""The dataset whose results are in README.md."""
RESULTS = """# Results

All published records, made by the suites in `configs/suites/` and read from `leaderboard/records/`. The best
of a stage stands first. A difference whose interval holds 0 is no difference. A random split leaks: its
numbers compare only with others of that split.
"""


def built() -> dict[Path, str]:
    """The text of every generated file, by its path below the repository's root."""
    found = published()
    out = {Path("docs/models") / path: text for path, text in pages(found).items()}
    readme = (ROOT / "README.md").read_text()
    short = markdown(plain(found, FIRST), short=True)
    filled = MARKER.sub(lambda match: f"{match[1]}\n{short}\n\n{match[2]}", readme)
    return {**out, Path("docs/results.md"): f"{RESULTS}\n{markdown(found)}\n", Path("README.md"): filled}


def stale() -> list[Path]:
    """The pages of models that are no more."""
    here = {path.relative_to(ROOT) for path in (ROOT / "docs/models").rglob("*.md")}
    return sorted(here - built().keys())


def main() -> None:
    """Writes what differs, and says so."""
    for path in stale():
        (ROOT / path).unlink()
        print(f"removed {path}")
    for path, text in built().items():
        target = ROOT / path
        if not target.exists() or target.read_text() != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            print(f"written {path}")


if __name__ == "__main__":
    main()

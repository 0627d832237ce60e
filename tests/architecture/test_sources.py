"""Sizes, forbidden calls, and that tests are where their source is."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("zoo", "benchmarks", "leaderboard")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
SCRIPTS = sorted((ROOT / "docs").glob("*.py"))

FORBIDDEN = {
    "pickle": "nothing is unpickled here: a file from elsewhere could run code",
    "cPickle": "nothing is unpickled here",
    "dill": "nothing is unpickled here",
    "joblib": "it pickles",
    "torch.load": "use safetensors",
    "torch.save": "use safetensors",
    "eval": "it runs text as code",
    "exec": "it runs text as code",
    "os.system": "use subprocess with a list",
    "yaml.load": "use zoo.core.yaml, or yaml.safe_load",
    "yaml.unsafe_load": "use zoo.core.yaml, or yaml.safe_load",
}

# In two parts, so that this file is not its own first finding.
HOSTS = ("pypi" + ".org", "python" + "hosted.org", "anaconda" + ".org", "conda.an" + "aconda", "npmjs" + ".")
MACHINE_PATHS = tuple(re.compile(rf"(?<![\w.~-])/{name}/") for name in ("work", "tmp", "root", "home"))
TEXT = {".py", ".md", ".yaml", ".toml", ".txt", ".json", ".html", ".js", ".css", ".svg", ".sh", ""}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.AST) -> int:
    return int(node.end_lineno or 0) - int(node.lineno) + 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=relative)
def test_a_file_fits_in_the_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 250


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=relative)
def test_no_function_is_longer_than_a_screen(path: Path) -> None:
    assert not [f"{node.name}: {length(node)} lines" for node in functions(path) if length(node) > 60]


def test_functions_are_short_as_a_rule() -> None:
    lengths = [length(node) for path in SOURCES for node in functions(path)]
    assert statistics.median(lengths) <= 12
    assert sum(lines > 40 for lines in lengths) <= len(lengths) / 100


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=relative)
def test_nothing_runs_what_it_reads(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names |= {ast.unparse(call.func) for call in calls}
    for name, reason in FORBIDDEN.items():
        assert name not in names, f"{name}: {reason}"
    keywords = {ast.unparse(keyword) for call in calls for keyword in call.keywords}
    assert not keywords & {"shell=True", "allow_pickle=True"}


def _files() -> list[Path]:
    """All text files that belong to the project, whether git knows them yet or not."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split() if line[0] != "#"]
    found = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if ".git" in parts or any(fnmatch(part, pattern) for part in parts for pattern in ignored):
            continue
        if path.is_file() and path.suffix in TEXT:
            found.append(path)
    return found


def test_no_file_knows_a_machine_or_a_registry() -> None:
    guilty = []
    for path in _files():
        text = path.read_text(errors="replace")
        found = [host for host in HOSTS if host in text]
        found += [match[0] for pattern in MACHINE_PATHS if (match := pattern.search(text))]
        guilty += [f"{relative(path)}: {what}" for what in found]
    assert not guilty


def _names(package: Path) -> set[str]:
    """How a test may call the modules of a package: `acquire`, `datasets_acquire`, or the package itself."""
    modules = [path.relative_to(package).with_suffix("") for path in package.rglob("*.py")]
    return (
        {module.name for module in modules} | {"_".join(module.parts) for module in modules} | {package.name}
    )


@pytest.mark.parametrize(
    "folder", [*PACKAGES, *(path.parent.name for path in (ROOT / "zoo").glob("*/__init__.py"))]
)
def test_a_test_is_where_its_source_is(folder: str) -> None:
    package = ROOT / folder if folder in PACKAGES else ROOT / "zoo" / folder
    names = _names(package) | {path.name for path in package.rglob("*") if path.is_dir()}
    for test in (ROOT / "tests" / folder).rglob("test_*.py"):
        name = test.stem.removeprefix("test_")
        assert any(name == known or name.startswith(f"{known}_") for known in names), (
            f"{relative(test)}: no module {name} in {relative(package)}/"
        )

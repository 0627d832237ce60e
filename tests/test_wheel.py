"""The wheel holds `zoo`, all of it and nothing else; wheel_in_empty_venv.sh shows that it works alone."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    skip = shutil.ignore_patterns("__pycache__", "records")
    for package in ("zoo", "benchmarks", "leaderboard", "configs", "tests"):
        shutil.copytree(ROOT / package, folder / package, ignore=skip)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, folder)
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        folder / "dist",
        folder,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (folder / "dist").iterdir()
    assert path.name == "funnelzoo-0.1.0-py3-none-any.whl"
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return message_from_bytes(wheel.read("funnelzoo-0.1.0.dist-info/METADATA"))


def test_it_holds_zoo_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    source = {path.relative_to(ROOT).as_posix() for path in (ROOT / "zoo").rglob("*.py")}
    assert held == source | {"zoo/py.typed"}


def test_it_says_what_it_is(wheel: zipfile.ZipFile, metadata: Message) -> None:
    assert (metadata["Name"], metadata["License-Expression"]) == ("funnelzoo", "MIT")
    assert metadata["Requires-Python"] == ">=3.11"
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_it_asks_for_what_zoo_imports_and_no_more(metadata: Message) -> None:
    lines = metadata.get_all("Requires-Dist", [])
    required = [line for line in lines if not re.search(r'extra == "(benchmarks|dev)"', line)]
    modules = {"pytorch-lightning": "pytorch_lightning", "PyYAML": "yaml", "faiss-cpu": "faiss"}
    modules |= {"milvus-lite": "milvus_lite"}
    names = [re.split(r"[^\w.-]", line)[0] for line in required]
    imported: set[str] = set()
    for path in (ROOT / "zoo").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    assert {modules.get(name, name) for name in names} == imported - {*sys.stdlib_module_names, "zoo"}

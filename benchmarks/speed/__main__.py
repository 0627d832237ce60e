"""`python -m benchmarks.speed NAME [--json]`: one line of numbers, with the threads they took."""

from __future__ import annotations

import argparse
import json
import pkgutil
import sys
from importlib import import_module

import benchmarks.speed
from benchmarks.speed.options import Options

PARTS = {"__main__", "click_rows", "ctr", "options", "peers", "shapes"}
"""Modules that measure nothing."""


def main() -> int:
    """Measures and prints."""
    given = _parser().parse_args()
    module = import_module(f"benchmarks.speed.{given.name}")
    found = {"name": given.name, **module.measure(Options(given.rows, given.threads, given.repeats))}
    print(json.dumps(found) if given.json else "  ".join(f"{key} {value}" for key, value in found.items()))
    return 0


def names() -> list[str]:
    """What can be measured: the modules beside this one that have a `measure`."""
    return sorted({module.name for module in pkgutil.iter_modules(benchmarks.speed.__path__)} - PARTS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.speed", description="Measure how fast it is.")
    parser.add_argument("name", choices=names())
    parser.add_argument("--rows", type=int, help="of the generated data (default: as published)")
    parser.add_argument("--threads", type=int, default=1, help="for both sides (default: 1)")
    parser.add_argument("--repeats", type=int, default=3, help="of each side, in turns (default: 3)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())

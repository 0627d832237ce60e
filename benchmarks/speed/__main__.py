"""`python -m benchmarks.speed NAME [--json]`: one line of numbers, with the threads they took."""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.speed import data

BENCHMARKS = {"data": data.measure}


def main() -> int:
    """Measures and prints."""
    arguments = _parser().parse_args()
    found = {"name": arguments.name, **BENCHMARKS[arguments.name](arguments.rows)}
    text = (
        json.dumps(found) if arguments.json else "  ".join(f"{key} {value}" for key, value in found.items())
    )
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.speed", description="Measure how fast it is.")
    parser.add_argument("name", choices=sorted(BENCHMARKS))
    parser.add_argument("--rows", type=int, default=20_000_000, help="of the generated log (default: 20 M)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())

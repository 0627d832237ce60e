"""The command line: publish records, show them, build the site."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m leaderboard", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    records = argparse.ArgumentParser(add_help=False)
    records.add_argument("--records", type=Path, metavar="DIR", help="records or runs (default: published)")
    publish = commands.add_parser("publish", parents=[records], help="copy finished runs into the records")
    publish.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="a run folder, or a folder of runs"
    )
    show = commands.add_parser("show", parents=[records], help="print the tables")
    show.add_argument("--json", action="store_true", help="one JSON list of rows instead")
    show.add_argument("--dataset", metavar="D", help="only this dataset")
    show.add_argument("--stage", metavar="S", help="only this stage")
    build = commands.add_parser("build", parents=[records], help="write the static site")
    build.add_argument(
        "--out", type=Path, default=Path("site"), metavar="DIR", help="where to (default: site)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 if it did, 2 after `error: …` lines if the user must mend something."""
    args = _parser().parse_args(argv)
    # imports wait until a command needs them, so that --help is quick
    from benchmarks.record import RecordError

    try:
        {"publish": _publish, "show": _show, "build": _build}[args.command](args)
    except (RecordError, OSError) as error:
        print("\n".join(f"error: {line}" for line in str(error).splitlines()), file=sys.stderr)
        return 2
    return 0


def _publish(args: argparse.Namespace) -> None:
    from leaderboard import load

    print("\n".join(load.publish(args.runs, args.records or load.RECORDS)))


def _show(args: argparse.Namespace) -> None:
    from leaderboard import load
    from leaderboard.aggregate import boards, rows
    from leaderboard.terminal import print_boards

    folder = args.records or load.RECORDS
    runs = load.select(load.read(load.find(folder)), args.dataset, args.stage)
    found = rows(runs)
    tables = boards(found)
    if args.json:
        print(json.dumps([row.as_json() for board in tables for row in board.rows], indent=1))
        return
    print_boards(tables, found)
    if not tables:
        print(f"no record of a finished run in {folder}")
    for run in runs:
        if run.record.status == "failed":
            print(f"failed: {run.record.entry}, seed {run.record.seed}: {run.record.error}")


def _build(args: argparse.Namespace) -> None:
    from leaderboard import load
    from leaderboard.build import build

    print(build(load.read(load.find(args.records or load.RECORDS)), args.out))

"""The command line of the harness: `run`, `plan`, `tune`, `list` and `data`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.core.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.executor import Outcome, Setting
    from benchmarks.plan import Plan

CONFIGS = Path("configs")
HEADLINE = ("ndcg@10", "recall@50", "auc/", "mrr/", "latency_ms/p50")
"""Metrics shown on the line of a finished run, those it has; of tasks the first two."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; 0 if all went well, 1 if a run failed, 2 for a mistake of the user's."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except UserError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="Train, evaluate and record zoo models."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, command, text in (
        ("run", _run, "run what has no record yet"),
        ("plan", _plan, "show what would run, and what has a record"),
        ("tune", _tune, "try the values of each entry's `search` on validation, and tell the best"),
    ):
        sub = commands.add_parser(name, help=text)
        sub.set_defaults(command=command)
        sub.add_argument("suite", type=Path, help="such as configs/suites/quickstart.yaml")
        sub.add_argument(
            "changes", nargs="*", metavar="key=value", help="such as seeds=[0] recall/two_tower.fit.lr=1e-2"
        )
        sub.add_argument("--runs", type=Path, default=Path("runs"), help="folder of records (default: runs)")
        sub.add_argument(
            "--workers", type=int, default=os.cpu_count() or 1, help="runs at once (default: all cores)"
        )
        if command is _tune:
            sub.add_argument("--metric", default="", help="to choose by (default: the suite's `metric`)")
        else:
            sub.add_argument("--again", action="store_true", help="run everything, records or not")
    sub = commands.add_parser("list", help="list entries, funnels, suites, datasets, protocols and models")
    sub.set_defaults(command=_list)
    _add_data(commands.add_parser("data", help="describe a log of your own, check and show datasets"))
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="command")
    sub = commands.add_parser("new", help="write a YAML for a log, as well as it can be guessed")
    sub.set_defaults(command=_data_new)
    sub.add_argument("logs", nargs="+", type=Path, metavar="LOG", help="such as clicks.csv.gz items.csv")
    sub.add_argument("--name", default="", help="of the dataset (default: from the first log)")
    sub.add_argument("--out", type=Path, help="the YAML (default: configs/datasets/NAME.yaml)")
    for name, command, text in (
        ("check", _data_check, "profile a dataset, and warn of what may be wrong"),
        ("show", _data_show, "show the schema and some events as models see them"),
    ):
        sub = commands.add_parser(name, help=text)
        sub.set_defaults(command=command)
        sub.add_argument("dataset", help="a name in configs/datasets, or a YAML file")
    sub.add_argument("--rows", type=int, default=10, help="events to show (default: 10)")


def _resolved(arguments: argparse.Namespace, data: bool) -> tuple[Plan, Setting]:
    """The plan and where it runs; with the data prepared, so that workers only load it."""
    from benchmarks.datasets import load_config
    from benchmarks.executor import Setting
    from benchmarks.suite import resolve_suite

    if arguments.workers < 1:
        raise UserError(f"--workers: found {arguments.workers}, expected at least 1")
    plan = resolve_suite(arguments.suite, arguments.changes, CONFIGS, check_dataset=load_config)
    file = CONFIGS / "datasets" / f"{plan.dataset}.yaml"
    config = load_config(file)
    # Data that is not pinned has to be looked at to know whether a record is of it.
    if data or not config.canonical:
        from benchmarks.datasets import prepare

        fingerprint = prepare(config).fingerprint
    else:
        fingerprint = config.fingerprint(config.canonical)
    return plan, Setting(file, plan.protocol, fingerprint, arguments.runs, arguments.workers)


def _plan(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from benchmarks.executor import finished
    from benchmarks.plan import describe

    plan, setting = _resolved(arguments, data=False)
    done = sum(finished(spec, setting) is not None for spec in plan.runs)
    console = Console()
    console.print(describe(plan))
    console.print(f"{done} of {len(plan.runs)} runs have a record in {arguments.runs}")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from benchmarks.executor import execute, finished
    from benchmarks.plan import describe

    console = Console()
    plan, setting = _resolved(arguments, data=True)
    console.print(describe(plan))
    console.print(f"{setting.workers} at once, one thread each, on {_device()}; records in {arguments.runs}/")
    if not all(finished(spec, setting) for spec in plan.runs):
        _tell_windows(console, plan, setting)
    if plan.protocol.leak:
        console.print(f"[yellow]warning[/]: {plan.protocol.label} leaks: {plan.protocol.leak}")
    done = failed = 0
    for outcome in execute(plan, setting, arguments.again):
        # Candidates are shared by runs: told, so that nobody waits in silence, but not counted.
        is_run = outcome.spec.stage != "candidates"
        done += is_run
        failed += is_run and outcome.record.status == "failed"
        _tell(console, outcome, str(done) if is_run else "", str(len(plan.runs)))
    if failed:
        console.print(f"{failed} of {len(plan.runs)} runs failed; run again to retry them")
    return 1 if failed else 0


def _tune(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from benchmarks.suite import resolve_suite
    from benchmarks.tune import Search, Tuner
    from zoo.core.yaml import load

    if not any(change.startswith("protocol.window=") for change in arguments.changes):
        arguments.changes.append("protocol.window=validation")
    plan, setting = _resolved(arguments, data=True)
    if plan.protocol.window == "test":
        raise UserError("protocol.window: found test, expected validation: nothing is chosen on the test")
    file, console = load(arguments.suite), Console()
    searches = [search for item in file.items("entries") if (search := Search.of(item)).space]
    tuner = Tuner(
        searches,
        lambda items: resolve_suite(arguments.suite, arguments.changes, CONFIGS, entries=items),
        setting,
        arguments.metric or str(getattr(file.get("metric"), "value", "")),
    )
    for outcome in tuner.run():
        _tell(console, outcome, "", "", tuner.metric)
    for search in searches:
        score = "failed" if search.score is None else f"{search.score * tuner.sign:.4f}"
        changes = " ".join(search.chosen) or "as it is"
        line = f"{search.name}: {tuner.metric} {score} after {search.trials} trials: {changes}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def _tell_windows(console: Console, plan: Plan, setting: Setting) -> None:
    """Who is measured, and whether what is chosen on validation can hold for the test."""
    from benchmarks.datasets import load_config, prepare
    from benchmarks.populations import differences, populations, positives, table

    config = load_config(setting.dataset)
    found = populations(config, plan.protocol, prepare(config).log)
    console.print(table(found))
    for text in positives(found):
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    for text in differences(found):
        console.print(f"[yellow]warning[/]: what is chosen on validation may not hold for the test: {text}")


def _tell(console: Console, outcome: Outcome, number: str, total: str, *first: str) -> None:
    record = outcome.record
    if record.status == "failed":
        text = f"FAILED {record.error}"
    else:
        names = [name for part in first or HEADLINE for name in _named(record.metrics, part)]
        shown = [f"{name} {record.metrics[name].mean:.3f}" for name in names]
        took = f"{outcome.seconds:.1f} s" if outcome.seconds else "has a record"
        text = "  ".join([*shown, took])
    place = f"[{number:>{len(total)}}/{total}]" if number else " " * (2 * len(total) + 3)
    line = f"{place} {outcome.spec.entry} seed {outcome.spec.seed}: {text}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _named(metrics: Iterable[str], part: str) -> list[str]:
    """The metric of that name, or the first two whose names begin so."""
    return [name for name in metrics if name == part or (part.endswith("/") and name.startswith(part))][:2]


def _device() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "the CPU"


def _list(_: argparse.Namespace) -> int:
    from benchmarks.entries import available

    for kind, names in available(CONFIGS).items():
        print(f"{kind}: {', '.join(names)}")
    return 0


def _data_new(arguments: argparse.Namespace) -> int:
    from benchmarks.datasets.commands import new

    return new(arguments.logs, arguments.name, arguments.out, CONFIGS)


def _data_check(arguments: argparse.Namespace) -> int:
    from benchmarks.datasets.commands import check

    return check(arguments.dataset, CONFIGS)


def _data_show(arguments: argparse.Namespace) -> int:
    from benchmarks.datasets.commands import show

    return show(arguments.dataset, arguments.rows, CONFIGS)

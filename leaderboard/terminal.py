"""Boards as tables in the terminal, with as many columns as fit."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from leaderboard.aggregate import Board, Comparison, Row, comparisons
from leaderboard.metrics import label, number


def print_boards(boards: Sequence[Board], rows: Sequence[Row]) -> None:
    """Print each board, best row first, the best value of each column in bold, and below it what differs.

    Args:
        boards: To print.
        rows: All there are, since a baseline may be of another board.
    """
    console = Console(highlight=False)
    for board in boards:
        table, count = _fitting(board, console)
        console.print(table)
        for note in _notes(board, board.columns[count:]):
            console.print(Text(note, style="dim"))
        for line in _differences(board, rows):
            console.print(Text(line), soft_wrap=True)
        console.print()


def _fitting(board: Board, console: Console) -> tuple[Table, int]:
    endless = console.options.update(width=10_000)
    for count in range(len(board.columns), 1, -1):
        table = _table(board, board.columns[:count])
        if Measurement.get(console, endless, table).maximum <= console.width:
            return table, count
    return _table(board, board.columns[:1]), 1


def _table(board: Board, columns: Sequence[str]) -> Table:
    record = board.newest
    title = Text(f"{record.dataset} · {record.stage}", style="bold") + Text(
        f"  {board.rows[0].protocol}", style="not bold dim"
    )
    table = Table(
        title=title, title_justify="left", title_style="", box=None, pad_edge=False, header_style="dim"
    )
    table.add_column("entry", max_width=36, overflow="fold")
    table.add_column("seeds", justify="right")
    for metric in columns:
        table.add_column(Text(label(metric)), justify="right", no_wrap=True)
    for row in board.rows:
        cells = (_cell(board, row, metric) for metric in columns)
        table.add_row(Text(row.newest.entry), str(len(row.seed_numbers)), *cells)
    return table


def _cell(board: Board, row: Row, metric: str) -> Text:
    interval = row.metrics.get(metric)
    if interval is None:
        return Text("—", style="dim")
    text = Text(number(metric, interval.mean), style="bold" if board.is_best(row, metric) else "")
    if interval.lo is None or interval.hi is None:
        return text
    half = max(interval.hi - interval.mean, interval.mean - interval.lo)
    return text + Text(f" ±{number(metric, half).removeprefix('0') or 0}", style="not bold dim")


def _differences(board: Board, rows: Sequence[Row]) -> list[str]:
    """One line for each pair, with the paired interval; a pair that was told is not told the other way."""
    told: set[frozenset[str]] = set()
    lines = []
    for comparison in (c for table in comparisons(board, rows) for c in table):
        pair = frozenset((comparison.entry, comparison.against))
        if pair not in told:
            told.add(pair)
            lines.append(_difference(comparison))
    return lines


def _difference(comparison: Comparison) -> str:
    found = comparison.difference
    text = f"{comparison.entry} minus {comparison.against}: {label(comparison.metric)} {found.mean:+.4f}"
    if found.lo is not None and found.hi is not None:
        text += f" [{found.lo:+.4f}, {found.hi:+.4f}]"
    return f"{text}, {comparison.verdict}"


def _notes(board: Board, hidden: Sequence[str]) -> list[str]:
    older = [f"{row.newest.entry} ({row.older})" for row in board.rows if row.older]
    notes = ["± is the longer half of the 95 % interval over users and seeds"]
    if hidden:
        notes.append(f"more in a wider terminal: {', '.join(map(label, hidden))}")
    if older:
        notes.append(f"older runs left out: {', '.join(older)}")
    return notes

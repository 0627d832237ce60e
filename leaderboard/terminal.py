"""Boards as tables in the terminal, with as many columns as fit."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from leaderboard.aggregate import Board, Row
from leaderboard.metrics import label, number


def print_boards(boards: Sequence[Board]) -> None:
    """Print each board, best row first, the best value of each column in bold."""
    console = Console(highlight=False)
    for board in boards:
        table, count = _fitting(board, console)
        console.print(table)
        for note in _notes(board, board.columns[count:]):
            console.print(Text(note, style="dim"))
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
        f"  {record.protocol}", style="not bold dim"
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
        table.add_row(Text(row.newest.entry), str(len(row.runs)), *cells)
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


def _notes(board: Board, hidden: Sequence[str]) -> list[str]:
    older = [f"{row.newest.entry} ({row.older})" for row in board.rows if row.older]
    notes = ["± is the longer half of the 95 % interval over users and seeds"]
    if hidden:
        notes.append(f"more in a wider terminal: {', '.join(map(label, hidden))}")
    if older:
        notes.append(f"older runs left out: {', '.join(older)}")
    return notes

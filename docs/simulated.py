"""`python -m docs.simulated` writes docs/simulated.md and two SVGs: the simulated world beside real sets.

Needs matplotlib, and the real sets in `$ZOO_DATA`: what is not there is left out. Only sums of them are kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.datasets.simulated import SimulationConfig, simulate
from docs.marginals import Array, Marginals, kuairand, movielens, own_numbers, simulated, trivago

HERE = Path(__file__).parent
THEMES: dict[str, dict[str, Any]] = {
    "light": {"text": "#24292f", "grid": "#d0d7de", "colours": ("#0072b2", "#56b4e9", "#d55e00", "#009e73")},
    "dark": {"text": "#e6edf3", "grid": "#30363d", "colours": ("#4ea8de", "#9bd4f5", "#ff8f4a", "#3ddc97")},
}
POINTS = 60
LABELS = (
    ("Popularity", "share of the items, most popular first", "share of their events"),
    ("Activity of users", "events of a user / mean", "share of users with at least that"),
    ("Length of sessions", "exposures (simulated), steps (trivago)", "share of sessions at least that long"),
    ("Position", "position on the page", "clicks per item shown / at the first"),
)
REAL: dict[str, Callable[[Path], Marginals]] = {"ml-1m": movielens, "trivago_val100k": trivago}
"""By their folders below `$ZOO_DATA`."""
PAGE = """# The simulated world beside real sets

<picture>
<source media="(prefers-color-scheme: dark)" srcset="simulated-dark.svg">
<img alt="Popularity, activity, session length and position of each log" src="simulated-light.svg">
</picture>

Written by `ZOO_DATA=… python -m docs.simulated` from the defaults of `SimulationConfig`.{missing}

{table}

Only the simulated log has these: {own}.

Items and users are those with an event. ml-1m has no user with fewer than 20 ratings. trivago: the 100,003
steps of a sample of the RecSys Challenge 2019; what was shown is logged with a click only, so no rate of
clicks. KuaiRand-27K: sizes in the [README](https://github.com/chongminggao/KuaiRand) of its publishers
(Gao et al., CIKM 2022, [arXiv:2208.08696](https://arxiv.org/abs/2208.08696)), means that follow from them,
the share of interactions replaced at random; we found no published curve or rate of it to set beside these.
What follows a click is set to about what the course says (one collect in ten clicks), not fitted to a log.
"""


def tail(found: Array) -> tuple[Array, Array]:
    """The share of those with at least so many."""
    at = np.unique(np.geomspace(1, found.max(), POINTS).round())
    return at, np.array([(found >= value).mean() for value in at])


def popularity(found: Array) -> tuple[Array, Array]:
    """The share of all events that the most popular share of items has."""
    at = np.unique(np.geomspace(1, len(found), POINTS).round().astype(int))
    return at / len(found), np.cumsum(found)[at - 1] / found.sum()


def panels(axes: Array, logs: list[Marginals], colours: tuple[str, ...]) -> None:
    """Draws the four plots."""
    for log in logs:
        style: dict[str, Any] = {"color": colours[log.colour], "label": log.name, "linewidth": 1.6}
        axes[0].loglog(*popularity(log.per_item), **style)
        at, share = tail(log.per_user)
        axes[1].loglog(at / log.per_user.mean(), share, **style)
        if log.per_session is not None:
            axes[2].loglog(*tail(log.per_session), **style)
        if log.by_position is not None:
            axes[3].plot(np.arange(1, len(log.by_position) + 1), log.by_position, **style)


def draw(logs: list[Marginals], theme: str) -> None:
    """Writes `docs/simulated-<theme>.svg`, the same bytes every time."""
    look = THEMES[theme]
    text, grid = look["text"], look["grid"]
    coloured = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), text)
    lines = dict.fromkeys(("axes.edgecolor", "grid.color", "xtick.color", "ytick.color"), grid)
    # Text stays text, and names inside the file are the same every time.
    plain = {"svg.fonttype": "none", "svg.hashsalt": "simulated", "font.size": 9, "font.family": "sans-serif"}
    settings: Any = {**coloured, **lines, **plain}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(9, 6.4), layout="constrained")
        axes: Array = np.asarray(figure.subplots(2, 2)).ravel()
        panels(axes, logs, look["colours"])
        for axis, (title, x, y) in zip(axes, LABELS, strict=True):
            dress(axis, title, x, y)
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
        )
        path = HERE / f"simulated-{theme}.svg"
        figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
    path.write_text(_shorter(path.read_text()))


def _shorter(svg: str) -> str:
    """With a decimal of a point, and no blanks at the ends of lines."""
    svg = re.sub(r"-?\d+\.\d{2,}", lambda match: f"{float(match[0]):.1f}", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def dress(axis: Axes, title: str, x: str, y: str) -> None:
    """Names, a grid, and nothing that is not needed."""
    axis.set_title(title, fontsize=10)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.grid(linewidth=0.5)
    axis.minorticks_off()
    axis.spines[["top", "right"]].set_visible(False)


def table(columns: dict[str, dict[str, str]]) -> str:
    """A row for each number, a column for each log."""
    names = list(dict.fromkeys(name for numbers in columns.values() for name in numbers))
    head = ["| " + " | ".join(["", *columns]) + " |", "|---" + "|---:" * len(columns) + "|"]
    cells = [[name, *(numbers.get(name, "") for numbers in columns.values())] for name in names]
    return "\n".join(head + ["| " + " | ".join(row) + " |" for row in cells])


def main() -> None:
    """Writes the page and its pictures."""
    root = Path(os.environ.get("ZOO_DATA") or "nowhere")
    there = {name: read(root / name) for name, read in REAL.items() if (root / name).is_dir()}
    world = simulate(SimulationConfig())
    logs = [*simulated(world), *there.values()]
    for theme in THEMES:
        draw(logs, theme)
    columns = {log.name: log.numbers for log in logs} | {"KuaiRand-27K, published": kuairand()}
    missing = "".join(f" {name} was not in ZOO_DATA." for name in REAL if name not in there)
    own = ", ".join(f"{name} {value}" for name, value in own_numbers(world).items())
    (HERE / "simulated.md").write_text(PAGE.format(table=table(columns), missing=missing, own=own))


if __name__ == "__main__":
    main()

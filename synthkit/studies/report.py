"""The report of a study: what is printed, and where the figures and the page are written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .claims import RULE, run_only
from .measurements import values
from .page import save_page
from .view import View, view

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from rich.console import Console

    from .results import Result
    from .study import Study

WIDTH, MOST = 100, 6  # characters of a line, columns of a printed table
PAGE = "index.html"


def show(study: Study, result: Result, out: Path) -> View:
    """Print a study's tables and claims; write its figures and its page to `out`."""
    found = view(study, result, out)
    print_view(found)
    save_page(out / PAGE, [found])
    return found


def print_view(found: View) -> None:
    """Print the tables of a run, what it wrote, and its claims that the paper makes."""
    console = _console()
    for table in found.tables:
        print_table(table.frame, table.title, table.notes, most=MOST)
    for line in found.samples:
        console.print(line, markup=False, highlight=False)
    if found.tally:
        run = run_only(found.claims)
        theirs = run[run["in the paper"] == "yes"]
        if len(theirs):
            shown = theirs.drop(columns="in the paper").set_index("claim")
            print_table(shown, "Claims of the paper", most=MOST, wrap=("claim", "world"))
        left = len(run) - len(theirs)
        more = f" The kit's own, {left}, are on the page." if left else ""
        for note in (f"{found.tally}{more}", RULE):
            console.print(note, markup=False, highlight=False)


def print_table(
    frame: pd.DataFrame, title: str, notes: Sequence[str] = (), *, most: int | None = None,
    wrap: Collection[str] = (),
) -> None:  # fmt: skip
    """Print a table whose index is its first column, and notes under it.

    Args:
        most: the columns that are printed at most, the index among them; fewer where the line would
            be too long for whole words. Those left out are counted in a note. None: all.
        wrap: columns of sentences, whose lines may break; of others only the heading's may.
    """
    from rich.table import Table

    if frame.index.nlevels > 1:
        frame = frame.reset_index(level=list(range(1, frame.index.nlevels)))
    columns = [(frame.index.name or "", [str(name) for name in frame.index])]
    columns += [(str(name), [_cell(value) for value in frame[name]]) for name in frame]
    least = [_least(name, [] if name in wrap else cells) for name, cells in columns]
    console = _console() if most else _console(120)
    kept = len(columns) if most is None else _fitting(least, most, console.width)
    printed = Table(title=title)
    for i, (name, _) in enumerate(columns[:kept]):
        printed.add_column(
            name, justify="right" if i else "left", min_width=least[i] if most else None,
            no_wrap=bool(most) and not i and name not in wrap,
        )  # fmt: skip
    for row in zip(*(cells for _, cells in columns[:kept])):
        printed.add_row(*row)
    console.print(printed)
    if left := len(columns) - kept:
        notes = (f"{left} more column{'s' * (left > 1)} on the page.", *notes)
    for note in notes:
        console.print(note)


def _fitting(least: Sequence[int], most: int, width: int) -> int:
    """The number of columns, of these widths, that a line holds with the frame around them."""
    fits = [n for n in range(1, most + 1) if sum(least[:n]) + 3 * n + 1 <= width]
    return min(max(fits, default=1), len(least))


def _least(name: str, cells: Sequence[str]) -> int:
    """The characters of the longest cell, or of the longest word of the heading."""
    return max(map(len, [*name.split(), *cells]), default=0)


def _console(width: int = WIDTH) -> Console:
    from rich.console import Console

    return Console(width=width)


def _cell(value: Any) -> str:
    return "-" if value is None or value != value else str(value)


def plot_arms(
    result: Result, axes: Axes, measure: str, arms: Sequence[str], colours: Mapping[str, str], *,
    label: str, **labels: str,
) -> None:  # fmt: skip
    """Draw a measure of every arm at one place: a dot for each seed, the mean as a bar.

    Args:
        arms: from top to bottom; those without a number are left out.
        colours: of some arms, names of `COLOURS`; the others are blue.
        label: of the measure.
    """
    from ..core.plots import COLOURS

    found = {arm: values(result, measure, arm, **labels) for arm in reversed(arms)}
    found = {arm: numbers for arm, numbers in found.items() if np.isfinite(numbers).any()}
    for height, (arm, numbers) in enumerate(found.items()):
        colour = COLOURS[colours.get(arm, "blue")]
        axes.plot(numbers, np.full(len(numbers), height), "o", color=colour, alpha=0.5)
        axes.plot(np.nanmean(numbers), height, "|", color=colour, markersize=16, mew=2.5)
    axes.set_yticks(range(len(found)), list(found))
    axes.set_xlabel(label)

"""The view of a study's result: its tables, its claims with verdicts, its figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.files import read_jsonl
from .claims import RULE, Finding, run_only, tally, verdicts
from .measurements import samples_file, values

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from matplotlib.axes import Axes

    from .results import Result
    from .study import Figure, Study, Table

FEW_SEEDS = "Fewer than three seeds: the numbers show that it runs, and decide nothing."


def show(study: Study, result: Result, out: Path) -> None:
    """Print a study's tables and claims, and save its figures to `out`."""
    caveats = (FEW_SEEDS,) if len(result.seeds) < 3 else ()
    for table, place in _shown(study, result):
        frame = table.make(result) if table.overall else table.make(result, place)
        if not frame.empty:
            about = ", ".join(filter(None, (study.title, place, table.title)))
            title = f"{about}: {result.scale} scale, seeds {result.seeds}"
            print_table(frame, title, (*table.notes, *caveats))
    for arm in study.samples:
        print_samples(samples_file(out, arm, result.seeds[0]), arm)
    if study.claims:
        print_claims(study.findings(result))
    for figure in study.figures:
        for place in study.places(result):
            if place in (figure.at or (place,)):
                draw = partial(figure.draw, result, place)
                save_figure(out / _file_name(figure, place), draw, figure.size)


def _shown(study: Study, result: Result) -> Iterator[tuple[Table, str]]:
    for place in study.places(result):
        yield from ((table, place) for table in study.tables if not table.overall)
    yield from ((table, "") for table in study.tables if table.overall)


def _file_name(figure: Figure, place: str) -> str:
    return f"{figure.name}-{place}.png".replace(", ", "-").replace(" ", "-")


def print_samples(path: Path, arm: str, n: int = 3, width: int = 400) -> None:
    """Print the first `n` rows that an arm has written, if it has any."""
    from rich.console import Console

    rows = read_jsonl(path)[:n] if path.is_file() else []
    console = Console(width=120)
    for i, row in enumerate(rows):
        told = all(isinstance(value, str) for value in row.values())  # else a row of a table
        text = " | ".join(f"{value}" if told else f"{name} {value}" for name, value in row.items())
        shown = text if len(text) <= width else f"{text[:width]} ..."
        console.print(f"{arm}, row {i}: {shown}", markup=False, highlight=False)


def print_claims(findings: Iterable[Finding]) -> None:
    """Print the claims that were run with their verdicts, and under them the tally and the rule."""
    table = verdicts(findings)
    print_table(run_only(table).set_index("claim"), "Claims", (f"{tally(table)}.", RULE))


def print_table(frame: pd.DataFrame, title: str, notes: tuple[str, ...] = ()) -> None:
    """Print a table whose index is its first column, and notes under it."""
    from rich.console import Console
    from rich.table import Table

    printed = Table(title=title)
    if frame.index.nlevels > 1:
        frame = frame.reset_index(level=list(range(1, frame.index.nlevels)))
    for name in (frame.index.name or "", *frame.columns):
        printed.add_column(str(name), justify="right" if printed.columns else "left")
    for name, row in frame.iterrows():
        printed.add_row(str(name), *(_cell(value) for value in row))
    console = Console(width=120)
    console.print(printed)
    for note in notes:
        console.print(note)


def _cell(value: Any) -> str:
    return "-" if value is None or value != value else str(value)


def save_figure(path: Path, draw: Callable[[Axes], None], size: tuple[float, float]) -> None:
    """Draw on new axes of that size in inches, without a display, and write the figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from ..core.plots import style

    style()
    figure, axes = plt.subplots(figsize=size)
    draw(axes)
    figure.savefig(path)
    plt.close(figure)


def plot_arms(
    result: Result, axes: Axes, measure: str, arms: Sequence[str], colours: Mapping[str, str], *,
    label: str, **labels: str,
) -> None:  # fmt: skip
    """Draw a measure of every arm at one place: a dot for each seed, the mean as a bar.

    Args:
        arms: from top to bottom; those without a number are left out.
        colours: of some arms, names of the Okabe-Ito colours; the others are blue.
        label: of the measure.
    """
    from ..core.plots import OKABE_ITO

    found = {arm: values(result, measure, arm, **labels) for arm in reversed(arms)}
    found = {arm: numbers for arm, numbers in found.items() if np.isfinite(numbers).any()}
    for height, (arm, numbers) in enumerate(found.items()):
        colour = OKABE_ITO[colours.get(arm, "blue")]
        axes.plot(numbers, np.full(len(numbers), height), "o", color=colour, alpha=0.5)
        axes.plot(np.nanmean(numbers), height, "|", color=colour, markersize=16, mew=2.5)
    axes.set_yticks(range(len(found)), list(found))
    axes.set_xlabel(label)

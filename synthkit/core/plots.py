"""One look for every figure: readable at print size, safe for colour-blind readers, small files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The hues of Okabe and Ito (2008), their lightness L* spread from 0 to 92 in about equal steps, so
# any two stay apart in grey and for every common kind of colour vision.
COLOURS = {
    "blue": "#004D7A",
    "orange": "#F2A700",
    "green": "#00B081",
    "vermilion": "#D15B00",
    "purple": "#9E4278",
    "sky": "#9AD6FF",
    "black": "#000000",
    "yellow": "#F8ED21",
}


SPACING = 12  # points between two labels at the ends of lines, at least


def style() -> None:
    """Set matplotlib's defaults for the lessons: text of 9 points or more, no box, `COLOURS`.

    Lines differ in colour and markers alone do not carry meaning: label them (`label_line_ends`).
    """
    import matplotlib
    from cycler import cycler

    matplotlib.rcParams.update(
        {
            "figure.figsize": (6.4, 3.2),
            "figure.dpi": 96,
            "savefig.dpi": 96,
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.labelsize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.prop_cycle": cycler(color=list(COLOURS.values())),
            "image.cmap": "viridis",
            "lines.linewidth": 1.8,
        }
    )


def label_line_ends(ax: Axes, labels: Sequence[str] | None = None) -> None:
    """Write each line's label at its right end, in the line's colour, so that no legend is needed.

    Args:
        ax: the axes whose lines are labelled. Set its limits and scales first.
        labels: one label a line; default: the labels given when plotting (names that start with
            "_" are skipped).

    Raises:
        ValueError: the number of labels is not the number of lines.
    """
    lines = [line for line in ax.get_lines() if labels or not str(line.get_label()).startswith("_")]
    names = list(labels) if labels else [str(line.get_label()) for line in lines]
    if len(names) != len(lines):
        raise ValueError(f"{len(names)} labels for {len(lines)} lines: give one label a line")
    points = 72 / ax.figure.dpi  # points a pixel
    ends = []
    for line, name in zip(lines, names):
        x, y = np.asarray(line.get_xydata())[-1]
        ends.append((ax.transData.transform((x, y))[1] * points, x, y, name, line.get_color()))
    lowest = float("-inf")
    for height, x, y, name, colour in sorted(ends, key=lambda end: end[0]):
        placed = max(height, lowest + SPACING)
        lowest = placed
        ax.annotate(
            name,
            (x, y),
            xytext=(4, placed - height),
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=9,
            annotation_clip=False,
        )


def told(axes: Axes) -> str:
    """A figure in words, for readers who cannot see it: its axes, and the numbers of its lines.

    Lines at the height of a named tick are told by that name and their mean; other labelled lines
    by the mean of x and of y.
    """
    names = {
        round(float(tick)): label.get_text()
        for tick, label in zip(axes.get_yticks(), axes.get_yticklabels())
        if label.get_text() and not _is_number(label.get_text())
    }
    found: dict[str, dict[str, None]] = {}  # by name its numbers, each once
    for line in axes.get_lines():
        x, y = np.asarray(line.get_xydata(), dtype=float).T
        if not len(x) or not np.isfinite(x).any():
            continue
        label = str(line.get_label())
        if names and len(set(y)) == 1 and round(float(y[0])) in names:
            found.setdefault(names[round(float(y[0]))], {})[f"{np.nanmean(x):.3g}"] = None
        elif not label.startswith("_"):
            found.setdefault(label, {})[f"({np.nanmean(x):.3g}, {np.nanmean(y):.3g})"] = None
    sides = " against ".join(filter(None, (axes.get_ylabel(), axes.get_xlabel())))
    numbers = ", ".join(f"{name} {' and '.join(each)}" for name, each in found.items())
    return f"{sides}; means: {numbers}" if numbers else sides


def _is_number(text: str) -> bool:
    try:
        float(text.replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        return False
    return True

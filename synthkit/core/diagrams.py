"""Pictures of a pipeline: boxes on a grid, arrows between them, and words beside the arrows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import FancyBboxPatch

FILLS = {"": "#EAF2F8", "trained": "#FDEBC8", "frozen": "#E4E4E4", "words": "none"}
EDGES = {"": "#004D7A", "trained": "#8A5A00", "frozen": "#555555", "words": "none"}
WIDTH, LINE, GAP, SPACE = 7.6, 0.17, 0.3, 0.42  # inches: figure, line of text, between boxes, rows

BESIDE: dict[str, Any] = {
    "fontsize": 8, "style": "italic",
    "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.8},
}  # fmt: skip


def flow(
    boxes: Mapping[str, tuple[float, float, str]],
    *arrows: str,
    trained: str = "",
    frozen: str = "",
    words: str = "",
) -> None:
    """Draw boxes and arrows in a figure of its own.

    Args:
        boxes: by a short name the column, the row (counted from the top) and the label, whose lines
            are separated by "\\n". Columns and rows may be fractions.
        arrows: "a -> b -> c", or "a -> b: a word beside it". An arrow that skips a box in its own
            row runs below the row.
        trained, frozen: names of the boxes with weights that learn, and with weights that do not.
        words: names of labels without a box.

    Raises:
        KeyError: an arrow, or a list of names, has a box that is not there; the message names it.
        ValueError: a label is wider than its box.
    """
    import matplotlib.pyplot as plt

    kinds = _kinds(boxes, {"trained": trained, "frozen": frozen, "words": words})
    pairs = [each for arrow in arrows for each in _pairs(arrow, boxes)]
    columns, rows = [box[0] for box in boxes.values()], [box[1] for box in boxes.values()]
    lines = max(label.count("\n") + 1 for *_, label in boxes.values())
    height = LINE * lines + 0.16
    step = WIDTH / (max(columns) - min(columns) + 1), height + SPACE
    below = any(boxes[a][1] == max(rows) and _between(boxes, a, b) for a, b, _ in pairs)
    tall = step[1] * (max(rows) - min(rows)) + height + 0.2 + below * SPACE / 2
    figure = plt.figure(figsize=(WIDTH, tall), layout="none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(-tall, 0))
    axes.axis("off")
    drawn = {}
    for name, (column, row, label) in boxes.items():
        x = step[0] * (column - min(columns) + 0.5)
        y = -0.1 - height / 2 - step[1] * (row - min(rows))
        drawn[name] = _box(axes, x, y, step[0] - GAP, height, label, kinds[name])
    for a, b, beside in pairs:
        _arrow(axes, drawn, boxes, a, b, beside)
    plt.show()


def _pairs(arrow: str, boxes: Mapping) -> list[tuple[str, str, str]]:
    """The two ends of each arrow of "a -> b -> c: a word", and the word."""
    path, _, beside = arrow.partition(": ")
    return [
        (_known(a, boxes), _known(b, boxes), beside)
        for a, b in pairwise(re.split(r"\s*->\s*", path.strip()))
    ]


def _between(boxes: Mapping, a: str, b: str) -> list[str]:
    """The boxes that stand between two of the same row."""
    (x, row, _), (end, other, _) = boxes[a], boxes[b]
    low, high = sorted((x, end))
    return [n for n, (at, there, _) in boxes.items() if row == other == there and low < at < high]


def _known(name: str, boxes: Mapping) -> str:
    if name not in boxes:
        raise KeyError(f"there is no box {name!r}; there are {', '.join(boxes)}")
    return name


def _kinds(boxes: Mapping, given: Mapping[str, str]) -> dict[str, str]:
    """The kind of each box, "" for most."""
    found = dict.fromkeys(boxes, "")
    for kind, names in given.items():
        found |= {_known(name, boxes): kind for name in names.split()}
    return found


def _box(
    axes: Axes, x: float, y: float, width: float, height: float, label: str, kind: str
) -> FancyBboxPatch:
    """A box with its label in the middle, on axes whose unit is an inch."""
    from matplotlib.patches import FancyBboxPatch

    made = FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height,
        boxstyle="round,pad=0,rounding_size=0.06",
        facecolor=FILLS[kind], edgecolor=EDGES[kind], linewidth=1.2,
    )  # fmt: skip
    axes.add_patch(made)
    text = axes.text(x, y, label, ha="center", va="center", fontsize=8.5, linespacing=1.1)
    needed = text.get_window_extent().width / axes.figure.dpi
    if needed > width + GAP * (kind == "words"):
        raise ValueError(
            f"{label!r} is {needed:.2f} inches wide, its box {width:.2f}: break its lines, or use "
            "fewer columns"
        )
    return made


def _arrow(axes: Axes, drawn: Mapping, boxes: Mapping, a: str, b: str, beside: str) -> None:
    from matplotlib.patches import FancyArrowPatch

    first, last = (drawn[name].get_bbox() for name in (a, b))
    across = boxes[a][0] != boxes[b][0]
    look: dict[str, Any] = {"color": "#333333", "linewidth": 1.2}
    tip: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0}
    if _between(boxes, a, b):  # below the row, from the bottom of one box to that of the other
        low = first.y0 - SPACE / 2
        x, end = ((box.x0 + box.x1) / 2 for box in (first, last))
        axes.plot([x, x, end], [first.y0, low, low], **look)
        axes.add_patch(FancyArrowPatch((end, low), (end, last.y0), **look, **tip))
        x, y = (x + end) / 2, low
    else:
        start, stop = _edges(first, last, across)
        axes.add_patch(FancyArrowPatch(start, stop, **look, **tip))
        x, y = (start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2
    if beside and across:
        axes.text(x, y + 0.03, beside, ha="center", va="bottom", **BESIDE)
    elif beside:
        axes.text(x + 0.06, y, beside, ha="left", va="center", **BESIDE)


def _edges(first: Any, last: Any, across: bool) -> tuple[tuple[float, float], tuple[float, float]]:
    """Both ends of an arrow: at top and bottom of boxes in a column, else at their sides."""
    (x, y), (end_x, end_y) = (((b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2) for b in (first, last))
    if across:
        return ((first.x1, y), (last.x0, end_y)) if end_x > x else ((first.x0, y), (last.x1, end_y))
    if end_y < y:
        return (x, first.y0), (end_x, last.y1)
    return (x, first.y1), (end_x, last.y0)

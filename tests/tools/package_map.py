"""The package's imports: which module uses which, on which shelf it stands, circles, and a map.

    python tests/tools/package_map.py

draws `package_map.svg` beside this file anew if the rooms or the arrows between them have changed.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
MAP = Path(__file__).with_suffix(".svg")
METHODS = ("embedsdg", "softsrv", "spa", "synalign", "difflm")
# From the ground up: a module imports from its own shelf and from lower ones.
SHELVES = (
    ("core",),
    ("datasets",),
    ("sandbox",),
    ("teacher",),
    ("worlds",),
    ("lm",),
    ("embed",),
    ("evaluation",),
    METHODS,
    ("scale",),
    ("studies",),
    ("course",),
    ("doctor",),
    ("cli",),
)  # fmt: skip
ALONE = ("synthkit.__main__", "synthkit._modidx")
HEIGHT = {name: height for height, shelf in enumerate(SHELVES) for name in shelf}


def imports(root: Path = ROOT) -> dict[str, set[str]]:
    """The modules of the package that each module imports, at its top or inside a function.

    What only a type checker reads does not count. A name that a package offers counts as the
    package itself, and a submodule as the submodule.
    """
    sources = {}
    for path in sorted((root / "synthkit").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        sources[name] = (parts[:-1], ast.parse(path.read_text(encoding="utf-8")))
    return {
        name: {other for other in _imported(package, tree, set(sources)) if other != name}
        for name, (package, tree) in sources.items()
        if name.count(".") and name not in ALONE  # its own __init__ only names others
    }


def _imported(package: tuple[str, ...], tree: ast.AST, known: set[str]) -> Iterator[str]:
    for node in running(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            home = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                name = f"{home}.{alias.name}"
                name = name if name in known else home
                if name in known and name != "synthkit":
                    yield name


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from running(node)


def shelf(module: str) -> str:
    """The part of the package that a module belongs to, such as "lm"."""
    return module.split(".")[1]


def against_the_arrows(graph: dict[str, set[str]]) -> list[str]:
    """Imports that lead upwards, or from one method to another."""
    wrong = []
    for name, imported in graph.items():
        for other in sorted(imported):
            here, there = shelf(name), shelf(other)
            if here in METHODS and there in METHODS and here != there:
                wrong.append(f"{name} -> {other}: a method never imports another")
            elif HEIGHT[there] > HEIGHT[here]:
                wrong.append(f"{name} -> {other}: {there} stands above {here}")
    return wrong


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of a circle of imports, or an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


# --- the map --------------------------------------------------------------------------------------

PLACES = {  # of each room: column and row, from the ground up
    "core": (0.5, 0),
    "datasets": (-0.5, 1), "sandbox": (0.5, 1), "teacher": (1.5, 1),
    "worlds": (1, 2), "lm": (0.5, 3), "embed": (-1, 4), "evaluation": (0, 4),
    **{name: (i - 2, 5) for i, name in enumerate(METHODS)},
    "scale": (-2, 6), "studies": (-1, 6), "course": (0, 6), "doctor": (1, 6), "cli": (0, 7),
}  # fmt: skip
COLUMN, ROW, WIDTH, HIGH = 2.4, 1.36, 2.12, 0.82  # from room to room, and of a room, in inches
BLUE, GREEN, ORANGE, PINK = (  # fill and edge of a room, from Okabe and Ito's palette
    ("#dcecf7", "#0072b2"), ("#d6efe7", "#009e73"), ("#fbe6cf", "#d55e00"), ("#f6e3ee", "#b0568d"),
)  # fmt: skip
COLOURS = (BLUE, BLUE, BLUE, GREEN, GREEN, ORANGE, PINK, PINK)  # row by row


def rooms(graph: dict[str, set[str]]) -> tuple[dict[str, int], dict[str, set[str]]]:
    """The top-level rooms with their numbers of modules, and the rooms that each imports from."""
    uses: dict[str, set[str]] = {name: set() for name in HEIGHT}
    for module, imported in graph.items():
        uses[shelf(module)] |= set(map(shelf, imported)) - {shelf(module)}
    counts = Counter(map(shelf, graph))
    return {name: counts[name] for name in HEIGHT}, uses


def direct(uses: dict[str, set[str]]) -> Iterator[tuple[str, str]]:
    """The arrows that no chain of other arrows replaces."""

    @cache
    def reached(name: str) -> frozenset[str]:
        return frozenset(uses[name]).union(*map(reached, uses[name]))

    for name, others in uses.items():
        for other in sorted(others):
            if not any(other in reached(between) for between in others):
                yield name, other


def draw(counts: dict[str, int], uses: dict[str, set[str]]) -> Figure:
    """The rooms from the ground up, with the arrows that are needed to tell what uses what."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * COLUMN, len(COLOURS) * ROW - 0.3))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(
        xlim=(-2.5 * COLUMN, 2.5 * COLUMN),
        ylim=(-ROW / 2 + 0.15, (len(COLOURS) - 0.5) * ROW - 0.15),
    )
    ax.axis("off")
    for name, other in direct(uses):
        _draw_arrow(ax, PLACES[name], PLACES[other])
    for name in uses:
        _draw_room(ax, name, counts[name], [other for other in HEIGHT if other in uses[name]])
    return figure


def _draw_arrow(ax, start, end):
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    (column, row), (end_column, end_row) = start, end
    x, u = column * COLUMN, (end_column + 0.13 * (column - end_column)) * COLUMN  # side by side
    y, v = row * ROW - HIGH / 2, end_row * ROW + HIGH / 2 + 0.02
    bend = (y - v) / 2
    curve = Curve([(x, y), (x, y - bend), (u, v + bend), (u, v)], [1, 4, 4, 4])
    ax.add_patch(FancyArrowPatch(path=curve, arrowstyle="-|>", mutation_scale=11, linewidth=1.3,
                                 color=COLOURS[row][1], alpha=0.8))  # fmt: skip


def _draw_room(ax, name, count, used):
    from matplotlib.patches import FancyBboxPatch

    column, row = PLACES[name]
    x, y = column * COLUMN - WIDTH / 2, row * ROW - HIGH / 2
    fill, edge = COLOURS[row]
    ax.add_patch(FancyBboxPatch((x, y), WIDTH, HIGH, boxstyle="round,pad=0,rounding_size=0.1",
                                facecolor=fill, edgecolor=edge, linewidth=1.3))  # fmt: skip
    ax.text(x + 0.12, y + HIGH - 0.2, name, fontsize=12, weight="bold", va="center")
    modules = f"{count} modules" if count > 1 else "1 module"
    ax.text(x + WIDTH - 0.12, y + HIGH - 0.2, modules, fontsize=8.5, va="center", ha="right")
    text = f"uses {', '.join(used)}" if used else "uses no other room"
    text = text.replace(", ".join(METHODS), "the methods")
    lines = "\n".join(wrap(text, 32))
    ax.text(x + 0.12, y + HIGH - 0.36, lines, fontsize=8, va="top", color="#333333")


def main() -> int:
    import matplotlib

    counts, uses = rooms(imports())
    shown = json.dumps([counts, {name: sorted(others) for name, others in uses.items()}])
    mark = f"imports {hashlib.sha256(shown.encode()).hexdigest()[:16]}"
    if not MAP.is_file() or mark not in MAP.read_text(encoding="utf-8"):
        fonts = {"svg.fonttype": "none", "font.sans-serif": ["DejaVu Sans", "Verdana"]}
        with matplotlib.rc_context(
            {**fonts, "svg.hashsalt": "synthkit"}
        ):  # the same file each time
            draw(counts, uses).savefig(MAP, metadata={"Description": mark, "Date": None})
        print(f"{MAP.relative_to(ROOT)} is drawn anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The package's imports: which module uses which, on which shelf it stands, and circles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
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
    ("studies",),
    ("doctor",),
    ("cli",),
)  # fmt: skip
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
        if name.count(".") and not name.endswith("._modidx")  # its own __init__ only names others
    }


def _imported(package: tuple[str, ...], tree: ast.AST, known: set[str]) -> Iterator[str]:
    for node in _running(tree):
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


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _running(node)


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

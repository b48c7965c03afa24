"""Graded assignments as their authors write them: notebooks whose cells carry marks.

A code cell's first line says what it is for:

- `#| seed`: holds `SEED = 0`; the data and the hidden tests of another seed are others.
- `#| given`: code that a student is given and that is run when an answer is graded.
- `#| solution: a1.2`: the reference solution of a task, functions only. A student gets their
  signatures and docstrings.
- `#| grade: a1.2 3`: the tests of the task, for 3 points. A student sees those above the line
  `# hidden`.

Graded code runs in `synthkit.sandbox`: with the standard library, on plain values. Other code cells
are for looking, and are not run when an answer is graded.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.files import read_json

HIDDEN = "# hidden"
MARK = re.compile(r"#\|[ \t]*(seed|given|solution|grade)\b:?[ \t]*(\S*)[ \t]*(\d*)[ \t]*\n?")
_SEED = re.compile(r"^SEED = \d+", re.M)


@dataclass(frozen=True)
class Task:
    """One graded task: its reference solution and its tests.

    Attributes:
        id: such as "a1.2".
        points: what a right answer is worth.
        solution: the reference, without its mark.
        visible, hidden: tests that a student sees, and the others.
    """

    id: str
    points: int
    solution: str
    visible: str
    hidden: str

    @property
    def names(self) -> list[str]:
        """The functions that an answer has to define."""
        return functions(self.solution)

    @property
    def stub(self) -> str:
        """The cell that a student fills in."""
        return blank(self.solution, f'    raise NotImplementedError("{self.id}: write this")')


@dataclass(frozen=True)
class Assignment:
    """A parsed notebook: its cells, and its tasks by id, in the order of the notebook."""

    name: str
    seed: int
    cells: list[dict[str, Any]]
    metadata: Mapping[str, Any]
    given: str
    tasks: dict[str, Task]

    @property
    def points(self) -> int:
        """The points of all tasks."""
        return sum(task.points for task in self.tasks.values())

    def program(self, id: str, answer: str) -> str:
        """The program that grades one answer: given code, earlier reference solutions, the answer.

        A mistake in an earlier task so costs nothing in a later one.
        """
        ids = list(self.tasks)
        before = [self.tasks[each].solution for each in ids[: ids.index(id)]]
        return "\n\n".join([self.given, *before, answer])


def functions(source: str) -> list[str]:
    """Names of the functions that a source defines at its top level."""
    return [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]


def blank(source: str, body: str, end: str | None = None) -> str:
    """The source with the bodies of its functions replaced, docstrings kept.

    Args:
        source: functions at the top level.
        body: what stands for a body; with `end`, what is put before it.
        end: what is put after a body, which then stays.
    """
    lines = source.rstrip("\n").split("\n")
    for node in reversed(ast.parse(source).body):
        if not isinstance(node, ast.FunctionDef):
            continue
        first = node.body[1] if ast.get_docstring(node) else node.body[0]
        start, stop = first.lineno - 1, node.end_lineno
        kept = [*lines[start:stop], end] if end is not None else []
        lines[start:stop] = [body, *kept]
    return "\n".join(lines)


def marked(source: str) -> tuple[str, str, int, str]:
    """Kind, id, points and code of a cell; "" and 0 for what it does not have."""
    found = MARK.match(source)
    if not found:
        return "", "", 0, source
    return found[1], found[2], int(found[3] or 0), source[found.end() :]


def read_assignment(path: Path, seed: int = 0) -> Assignment:
    """An author's notebook.

    Args:
        path: such as nbs/assignments/a1.ipynb; its stem is the name of the assignment.
        seed: of the data and the hidden tests.

    Raises:
        ValueError: a mark without its partner, an id that comes twice, or a task without functions.
    """
    notebook = read_json(path)
    cells, given, solutions, tests = [], [], {}, {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        kind, id, points, code = marked(source) if cell["cell_type"] == "code" else ("", "", 0, "")
        if kind == "seed":
            code = _SEED.sub(f"SEED = {seed}", code)
            source = f"#| seed\n{code}"
        if kind in ("seed", "given"):
            given.append(code)
        elif kind:
            group = solutions if kind == "solution" else tests
            if not id or id in group or (kind == "grade" and not points):
                told = f"#| {kind}: {id} {points or ''}".rstrip()
                raise ValueError(f"{path.name}: {told!r} lacks an id or points, or comes twice")
            group[id] = code if kind == "solution" else (points, code)
        cells.append({**cell, "source": source})
    if not tests or set(solutions) != set(tests):
        odd = ", ".join(sorted(set(solutions) ^ set(tests))) or "nothing"
        raise ValueError(f"{path.name}: {odd} has not both `#| solution` and `#| grade`")
    tasks = {}
    for id, (points, code) in tests.items():
        visible, _, hidden = code.partition(f"{HIDDEN}\n")
        tasks[id] = Task(id, points, solutions[id], visible.rstrip(), hidden.rstrip())
        if not tasks[id].names:
            raise ValueError(f"{path.name}: the solution of {id} defines no function")
    return Assignment(path.stem, seed, cells, notebook["metadata"], "\n\n".join(given), tasks)


def read_assignments(folder: Path, seed: int = 0) -> dict[str, Assignment]:
    """All assignments of a folder, by name.

    Raises:
        FileNotFoundError: there is none.
    """
    paths = sorted(Path(folder).glob("a[0-9]*.ipynb"))
    if not paths:
        raise FileNotFoundError(
            f"{folder} holds no assignment (a1.ipynb, ...); name the folder that does, which in a "
            "checkout of the kit is nbs/assignments"
        )
    return {path.stem: read_assignment(path, seed) for path in paths}

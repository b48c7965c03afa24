"""Forms of the assignments: nbgrader's source, a plain version, and a check of both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core.files import write_json, write_text
from .assignments import Assignment, blank, marked, read_assignments
from .grading import grade_answers

CONFIG = """\
# Made by `synthkit course build`; run nbgrader's commands in this folder.
c = get_config()
c.CourseDirectory.course_id = "synthkit"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError()"}
c.ExecutePreprocessor.timeout = 60  # seconds a cell
c.ExecutePreprocessor.interrupt_on_timeout = True
"""
SEEDS = (0, 1)  # that a check is done with


def plain(assignment: Assignment) -> dict[str, Any]:
    """The notebook for students, which needs no nbgrader: stubs, visible tests, no outputs."""
    return _notebook(assignment, _plain_cell)


def nbgrader_source(assignment: Assignment) -> dict[str, Any]:
    """The notebook of which `nbgrader generate_assignment` makes its release."""
    return _notebook(assignment, _nbgrader_cell)


def _notebook(assignment: Assignment, make) -> dict[str, Any]:
    cells = []
    for i, cell in enumerate(assignment.cells):
        fresh = {"cell_type": cell["cell_type"], "metadata": {}, "source": cell["source"]}
        fresh["id"] = f"{assignment.name}-{i}"
        if cell["cell_type"] == "code":
            fresh |= {"outputs": [], "execution_count": None}
            kind, id, points, code = marked(cell["source"])
            if kind:
                fresh["id"] = cell_id(kind, id) if id else f"{assignment.name}-{kind}-{i}"
                fresh |= make(assignment, kind, id, points, code)
                if fresh.get("metadata"):
                    fresh["metadata"]["nbgrader"]["grade_id"] = fresh["id"]
        cells.append(fresh)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    metadata["synthkit"] = {"assignment": assignment.name, "seed": assignment.seed}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def cell_id(kind: str, id: str) -> str:
    """The id of a cell in a student's notebook, by which it is found again: "a1-2-grade"."""
    return f"{id.replace('.', '-')}-{kind}"


def _plain_cell(assignment: Assignment, kind: str, id: str, points: int, code: str) -> dict:
    if kind == "solution":
        return {"source": assignment.tasks[id].stub}
    if kind == "grade":
        return {"source": f"# {id}: {points} points\n{assignment.tasks[id].visible}"}
    return {"source": code}


def _nbgrader_cell(assignment: Assignment, kind: str, id: str, points: int, code: str) -> dict:
    flags = {"schema_version": 3, "task": False, "grade": kind == "grade"}
    flags |= {"solution": kind == "solution", "locked": kind != "solution"}
    if kind == "solution":
        begin, end = "    ### BEGIN SOLUTION", "    ### END SOLUTION"
        return {"source": blank(code, begin, end), "metadata": {"nbgrader": flags}}
    if kind != "grade":
        return {"source": code, "metadata": {"nbgrader": flags}}
    task = assignment.tasks[id]
    source = f"# {id}: {points} points\n{task.visible}"
    if task.hidden:
        source += f"\n### BEGIN HIDDEN TESTS\n{task.hidden}\n### END HIDDEN TESTS"
    return {"source": source, "metadata": {"nbgrader": {**flags, "points": points}}}


def build(source: Path, folder: Path, seed: int = 0) -> list[Path]:
    """Write `source/NAME/NAME.ipynb` for nbgrader and `plain/NAME.ipynb`; the files written.

    Args:
        source: the folder of the authors' notebooks.
        folder: becomes nbgrader's course folder.
        seed: of the data and the hidden tests.
    """
    written = [write_text(folder / "nbgrader_config.py", CONFIG)]
    for name, assignment in read_assignments(source, seed).items():
        graded = nbgrader_source(assignment)
        written.append(write_json(folder / "source" / name / f"{name}.ipynb", graded))
        written.append(write_json(folder / "plain" / f"{name}.ipynb", plain(assignment)))
    return written


# --- checks ---------------------------------------------------------------------------------------


def leaks(assignment: Assignment, notebook: Mapping[str, Any]) -> Iterator[str]:
    """Sentences on what a student's notebook gives away: lines of solutions or of hidden tests."""
    shown, secret = set(), {}
    for task in assignment.tasks.values():
        shown |= set(_telling(task.visible)) | set(_telling(task.stub))
        secret |= dict.fromkeys(_telling(task.solution), f"the solution of {task.id}")
        secret |= dict.fromkeys(_telling(task.hidden), f"the hidden tests of {task.id}")
    shown |= set(_telling(assignment.given))
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        for line in _telling(source):
            if line in secret and line not in shown:
                yield f"{assignment.name} shows a line of {secret[line]}: {line}"
        if cell.get("outputs"):
            yield f"{assignment.name} has a cell with outputs: {source[:40]!r}"
        if re.search(r"BEGIN (SOLUTION|HIDDEN)", source):
            yield f"{assignment.name} has a mark of nbgrader left: {source[:40]!r}"


def _telling(source: str) -> list[str]:
    """Lines long enough to give something away."""
    return [line.strip() for line in source.split("\n") if len(line.strip()) >= 12]


def check(source: Path) -> list[str]:
    """Sentences on what is wrong with the assignments of a folder; none where all is well.

    With each of two seeds the reference gets full marks, the blank release gets none, and the
    release gives nothing away.
    """
    wrong = []
    for seed in SEEDS:
        for assignment in read_assignments(source, seed).values():
            tasks = assignment.tasks.values()
            full = grade_answers(assignment, {task.id: task.solution for task in tasks})
            none = grade_answers(assignment, {task.id: task.stub for task in tasks})
            wrong += [
                f"seed {seed}: the reference of {m.id} fails: {m.why}" for m in full if not m.points
            ]
            wrong += [
                f"seed {seed}: the stub of {m.id} gets {m.points} points" for m in none if m.points
            ]
            wrong += [f"seed {seed}: {leak}" for leak in leaks(assignment, plain(assignment))]
    return wrong

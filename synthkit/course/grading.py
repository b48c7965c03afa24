"""Grading of students' notebooks: each answer for itself, in a process with limits.

Nothing that a student writes ends the grading: what cannot be graded gets no points and a sentence
that says why.
"""

from __future__ import annotations

import ast
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..core.files import write_text
from ..sandbox import Outcome, run_tests
from .assignments import Assignment, Task

TIMEOUT, MEMORY = 10.0, 256  # seconds and MiB that one answer with its tests may take
_LARGEST, _LONGEST = 20_000_000, 20_000  # bytes of a notebook, and characters of an answer


@dataclass(frozen=True)
class Mark:
    """The points of one answer, and why it did not get more."""

    student: str
    id: str
    points: int
    of: int
    why: str


def grade_answers(
    assignment: Assignment, answers: Mapping[str, str], student: str = ""
) -> list[Mark]:
    """Marks for sources of answers by id; a task without an answer gets none.

    Args:
        assignment: with the tests.
        answers: the cells that students filled in.
        student: whose answers they are.
    """
    refused = {id: _refusal(task, answers.get(id)) for id, task in assignment.tasks.items()}
    todo = [task for task in assignment.tasks.values() if not refused[task.id]]
    programs = [
        (assignment.program(task.id, answers[task.id]), [task.visible, task.hidden])
        for task in todo
    ]
    outcomes = run_tests(programs, timeout=TIMEOUT, memory_mb=MEMORY)
    for task, outcome in zip(todo, outcomes, strict=True):
        refused[task.id] = "" if outcome.ok else _reason(task, answers[task.id], outcome)
    return [
        Mark(
            student, task.id, 0 if refused[task.id] else task.points, task.points, refused[task.id]
        )
        for task in assignment.tasks.values()
    ]


def _refusal(task: Task, answer: str | None) -> str:
    """Reason that an answer is not run, or ""."""
    if answer is None:
        return "the cell is missing: put the stub back from the release, and answer in it"
    if len(answer) > _LONGEST:
        return f"the cell has {len(answer):,} characters; {_LONGEST:,} are enough"
    try:
        defined = {node.name: node for node in ast.parse(answer).body if hasattr(node, "name")}
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f"line {error.lineno}: " if getattr(error, "lineno", None) else ""
        return f"the cell is not Python ({line}{getattr(error, 'msg', None) or error})"
    for name in task.names:
        if name not in defined:
            others = ", ".join(set(defined) - set(task.names)) or "nothing"
            return f"the cell defines {others} where `{name}` is asked for: keep the name"
        if _is_stub(defined[name]):
            return "not answered"
    return ""


def _is_stub(node: ast.AST) -> bool:
    body = node.body[1:] if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) else None
    last = body[0] if body and len(body) == 1 else None
    raised = last.exc if isinstance(last, ast.Raise) else None
    raised = raised.func if isinstance(raised, ast.Call) else raised
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def _reason(task: Task, answer: str, outcome: Outcome) -> str:
    """Reason that a run answer gets no points."""
    limits = {
        "timeout": f"it did not end within {TIMEOUT:.0f} seconds: look for a loop without an end",
        "memory": f"it needs more than {MEMORY} MiB of memory",
        "forbidden": "it tried what is not allowed: only the standard library, no files, no network"
        f" ({outcome.error})",
        "crashed": f"its process ended before its tests did ({outcome.error or 'no message'})",
    }
    if outcome.status in limits:
        return limits[outcome.status]
    for node in ast.walk(ast.parse(answer)):
        if isinstance(node, ast.FunctionDef) and node.name in task.names and _only_prints(node):
            return f"`{node.name}` prints its result and returns None: write `return`"
    if outcome.error.startswith("ModuleNotFoundError"):
        return f"{outcome.error}: only the standard library is there when an answer is graded"
    told = outcome.error.removeprefix("AssertionError").removeprefix(": ")
    return f"a test fails: {told}" if told else "a test fails"


def _only_prints(node: ast.FunctionDef) -> bool:
    inside = list(ast.walk(node))
    returns = any(isinstance(each, (ast.Return, ast.Yield)) and each.value for each in inside)
    calls = (each.func for each in inside if isinstance(each, ast.Call))
    return not returns and any(isinstance(call, ast.Name) and call.id == "print" for call in calls)


# --- notebooks ------------------------------------------------------------------------------------


def grade_notebook(assignment: Assignment, path: Path, student: str = "") -> list[Mark]:
    """Marks for a student's notebook, whatever state it is in."""

    def nothing(why: str) -> list[Mark]:
        return [Mark(student, task.id, 0, task.points, why) for task in assignment.tasks.values()]

    try:
        if path.stat().st_size > _LARGEST:
            return nothing(f"the notebook has more than {_LARGEST // 10**6} MB: clear its outputs")
        cells = list(_cells(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return nothing(f"the file is no notebook ({type(error).__name__}: {str(error)[:80]})")
    answers, edited = {}, {}
    for id, task in assignment.tasks.items():
        found = _of(cells, f"{id.replace('.', '-')}-solution")
        if len(found) == 1:
            answers[id] = found[0]
        elif found:
            edited[id] = "the answer's cell is there more than once: keep one"
        tests = _of(cells, f"{id.replace('.', '-')}-grade")
        if [_bare(each) for each in tests] != [_bare(task.visible)]:
            edited[id] = "the test cell was edited or removed: put it back from the release"
    marks = grade_answers(
        assignment, {k: a for k, a in answers.items() if k not in edited}, student
    )
    return [Mark(m.student, m.id, 0, m.of, edited[m.id]) if m.id in edited else m for m in marks]


def _cells(notebook: Mapping[str, Any]) -> Iterator[tuple[set[str], str]]:
    """The names by which a code cell is known, and its source."""
    for cell in notebook["cells"]:
        if cell.get("cell_type") == "code":
            graded = (cell.get("metadata") or {}).get("nbgrader") or {}
            yield {str(cell.get("id")), str(graded.get("grade_id"))}, "".join(cell["source"])


def _of(cells: Sequence[tuple[set[str], str]], name: str) -> list[str]:
    return [source for names, source in cells if name in names]


def _bare(source: str) -> list[str]:
    """Lines of a test cell without comments, blanks, and what nbgrader puts in or takes out."""
    visible = source.split("### BEGIN HIDDEN TESTS")[0]
    lines = (line.rstrip() for line in visible.split("\n"))
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def submissions(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, str, Path]]:
    """(student, assignment, file) below a folder: STUDENT/a1.ipynb or STUDENT/a1/a1.ipynb.

    A single file belongs to the student that its folder is named after.
    """
    paths = [folder] if folder.is_file() else sorted(folder.rglob("*.ipynb"))
    for path in paths:
        if path.stem in names and ".ipynb_checkpoints" not in path.parts:
            home = path.parent.parent if path.parent.name == path.stem else path.parent
            yield home.resolve().name, path.stem, path


def grade(assignments: Mapping[str, Assignment], folder: Path, out: Path | None) -> list[Mark]:
    """Marks for all notebooks below a folder; with `out` also as a csv file.

    Raises:
        FileNotFoundError: there is no notebook of one of the assignments.
    """
    found = list(submissions(Path(folder), list(assignments)))
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no {'.ipynb or '.join(assignments)}.ipynb; a submission is called "
            "STUDENT/a1.ipynb"
        )
    marks = []
    for student, name, path in found:
        marks += grade_notebook(assignments[name], path, student)
    if out is not None:
        write_text(out, as_csv(marks))
    return marks


def as_csv(marks: Sequence[Mark]) -> str:
    """The marks as a table with a header."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(Mark.__dataclass_fields__), lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(mark) for mark in marks)
    return text.getvalue()

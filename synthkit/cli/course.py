"""Commands about graded assignments: make, check, grade."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import app

course = typer.Typer(
    help="Graded assignments: make what students get, check it, grade what they hand in.",
    no_args_is_help=True,
)
app.add_typer(course, name="course")
Authored = Annotated[Path, typer.Option("--source", help="The folder of the authors' notebooks.")]


@course.command("build")
def build_command(
    folder: Annotated[Path, typer.Argument(help="The course folder to write.")],
    source: Authored = Path("nbs/assignments"),
    seed: Annotated[int, typer.Option(min=0, help="Of the data and the hidden tests.")] = 0,
) -> None:
    """Write the assignments to FOLDER: nbgrader's source, and plain notebooks for students."""
    from ..course.building import build

    for path in build(source, folder, seed):
        typer.echo(path)


@course.command("check")
def check_command(source: Authored = Path("nbs/assignments")) -> None:
    """See that solutions get full marks, blanks none, and that no release gives anything away."""
    from ..course.building import check

    wrong = check(source)
    for line in wrong:
        typer.echo(line, err=True)
    typer.echo(f"{source}: {len(wrong) or 'no'} faults")
    raise typer.Exit(1 if wrong else 0)


@course.command("grade")
def grade_command(
    submissions: Annotated[
        Path, typer.Argument(help="A notebook, or a folder of STUDENT/a1.ipynb.")
    ],
    source: Authored = Path("nbs/assignments"),
    seed: Annotated[int, typer.Option(min=0, help="That the course was built with.")] = 0,
    out: Annotated[Path | None, typer.Option(help="A csv file of all marks, to write.")] = None,
) -> None:
    """Grade notebooks, each answer in a limited process of its own; print points and reasons."""
    from ..course.assignments import read_assignments
    from ..course.grading import grade

    marks = grade(read_assignments(source, seed), submissions, out)
    for mark in marks:
        typer.echo(f"{mark.student} {mark.id}: {mark.points} of {mark.of} {mark.why}".rstrip())
    total, most = sum(mark.points for mark in marks), sum(mark.of for mark in marks)
    typer.echo(f"{len({mark.student for mark in marks})} students: {total} of {most} points")

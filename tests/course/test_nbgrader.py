"""nbgrader's way with the assignments: generate, release, submit, collect, autograde, feedback."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from synthkit.course import building
from synthkit.course.assignments import read_assignments

pytest.importorskip("nbgrader", reason="needs nbgrader: python -m pip install -e '.[course]'")
SOURCE = Path(__file__).resolve().parents[2] / "nbs" / "assignments"
ALL = read_assignments(SOURCE)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course folder with the release of a1, and the exchange beside it."""
    folder = tmp_path_factory.mktemp("nbgrader")
    building.build(SOURCE, folder / "course")
    (folder / "exchange").mkdir(mode=0o777)
    (folder / "exchange").chmod(0o777)  # nbgrader asks for a folder that all may write
    nbgrader(folder, "generate_assignment", "a1", "--create")
    return folder


def nbgrader(folder, *arguments, where="course"):
    """A finished command of nbgrader, which keeps all its files in `folder`."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    places = {f"JUPYTER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    options = [f"--Exchange.root={folder / 'exchange'}", "--CourseDirectory.course_id=synthkit"]
    options.append(f"--NbGrader.logfile={folder / 'log'}")
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments, *options, f"--Exchange.cache={home}"],
        cwd=folder / where, env={**os.environ, **places, "HOME": str(home)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}: {done.stderr[-3000:]}"
    return done.stderr


@pytest.mark.parametrize("name", ALL)
def test_what_nbgrader_strips_gives_nothing_away(name):
    from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

    notebook = nbformat.from_dict(building.nbgrader_source(ALL[name]))
    told = "\n".join(building.leaks(ALL[name], notebook))
    assert f"the solution of {name}.1" in told and f"the hidden tests of {name}.4" in told
    assert "a mark of nbgrader" in told
    for strip in (ClearSolutions(), ClearHiddenTests()):
        notebook, _ = strip.preprocess(notebook, {})
    assert list(building.leaks(ALL[name], notebook)) == []
    assert sum("NotImplementedError" in cell["source"] for cell in notebook["cells"]) == 4


def answer(path, name, ids):
    """Fill in the reference solutions of some tasks of a fetched notebook."""
    notebook = json.loads(path.read_text())
    answers = {building.cell_id("solution", id): ALL[name].tasks[id].solution for id in ids}
    for cell in notebook["cells"]:
        cell["source"] = answers.get(
            cell["metadata"].get("nbgrader", {}).get("grade_id"), cell["source"]
        )
    path.write_text(json.dumps(notebook))


@pytest.mark.slow
def test_a_submission_goes_round_and_comes_back_with_points_and_feedback(course):
    release = course / "course" / "release" / "a1" / "a1.ipynb"
    assert list(building.leaks(ALL["a1"], json.loads(release.read_text()))) == []
    nbgrader(course, "release_assignment", "a1")
    (course / "student").mkdir()
    nbgrader(course, "fetch_assignment", "a1", where="student")
    answer(course / "student" / "a1" / "a1.ipynb", "a1", ["a1.1", "a1.3"])
    nbgrader(course, "submit", "a1", where="student")
    nbgrader(course, "collect", "a1")
    (handed,) = (course / "course" / "submitted").iterdir()
    for kind, ids in (("full", ALL["a1"].tasks), ("blank", [])):
        folder = course / "course" / "submitted" / kind / "a1"
        folder.mkdir(parents=True)
        (folder / "a1.ipynb").write_text(release.read_text())
        answer(folder / "a1.ipynb", "a1", ids)
    nbgrader(course, "autograde", "a1", "--create")
    nbgrader(course, "generate_feedback", "a1")
    nbgrader(course, "release_feedback", "a1", f"--student={handed.name}")
    nbgrader(course, "export")
    with (course / "course" / "grades.csv").open() as file:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)
                  if row["assignment"] == "a1"}  # fmt: skip
    assert scores == {"full": 12.0, "blank": 0.0, handed.name: 6.0}
    page = course / "course" / "feedback" / "full" / "a1" / "a1.html"
    assert "12.0" in page.read_text()
    from synthkit.course.grading import grade

    marks = grade({"a1": ALL["a1"]}, course / "course" / "submitted", None)
    ours = {name: sum(m.points for m in marks if m.student == name) for name in scores}
    assert ours == scores, "synthkit course grade and nbgrader agree"

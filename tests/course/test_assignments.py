"""The graded assignments: full marks for solutions, none for blanks, and every slip caught."""

import json
from pathlib import Path

import pytest
from course.mutants import MUTANTS
from typer.testing import CliRunner

from synthkit.cli import app
from synthkit.course import assignments as authored
from synthkit.course import building, grading

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "nbs" / "assignments"
ALL = authored.read_assignments(SOURCE)
TASKS = {id: assignment for assignment in ALL.values() for id in assignment.tasks}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    building.build(SOURCE, folder)
    return folder


def test_six_assignments_have_four_tasks_and_twelve_points_each():
    assert list(ALL) == [f"a{k}" for k in range(1, 7)]
    for name, assignment in ALL.items():
        assert list(assignment.tasks) == [f"{name}.{k}" for k in range(1, 5)]
        assert assignment.points == 12


def test_solutions_get_full_marks_blanks_none_and_nothing_leaks_with_two_seeds():
    assert len(building.SEEDS) == 2
    assert building.check(SOURCE) == []


def test_another_seed_makes_other_data():
    one, two = (authored.read_assignment(SOURCE / "a1.ipynb", seed) for seed in (0, 1))
    assert "SEED = 0" in one.given and "SEED = 1" in two.given


def test_every_task_has_at_least_two_mutants():
    assert set(MUTANTS) == set(TASKS)
    assert all(len(changes) >= 2 for changes in MUTANTS.values())


@pytest.mark.parametrize("name", ALL)
def test_every_mutant_is_caught(name):
    assignment = ALL[name]
    for turn in range(max(len(MUTANTS[id]) for id in assignment.tasks)):
        answers = {}
        for id, task in assignment.tasks.items():
            if turn < len(MUTANTS[id]):
                old, new = MUTANTS[id][turn]
                assert old in task.solution, f"{id} has no {old!r}"
                answers[id] = task.solution.replace(old, new)
        marks = [m for m in grading.grade_answers(assignment, answers) if m.id in answers]
        assert [m.id for m in marks if m.points] == []
        assert all(m.why for m in marks)


@pytest.mark.parametrize("name", ALL)
def test_each_solution_alone_passes_its_own_test(name):
    """So a mistake in one task costs nothing in another."""
    assignment = ALL[name]
    for id, task in assignment.tasks.items():
        marks = grading.grade_answers(assignment, {id: task.solution})
        assert {m.id for m in marks if m.points} == {id}


def test_cells_stay_short():
    for assignment in ALL.values():
        for cell in assignment.cells:
            if cell["cell_type"] == "code" and "#| grade" not in cell["source"]:
                assert len(cell["source"].splitlines()) <= 25, cell["source"][:60]


def test_a_mark_without_its_partner_is_refused(tmp_path):
    notebook = json.loads((SOURCE / "a1.ipynb").read_text())
    notebook["cells"] = [c for c in notebook["cells"] if "grade: a1.3" not in "".join(c["source"])]
    (tmp_path / "a1.ipynb").write_text(json.dumps(notebook))
    with pytest.raises(ValueError, match=r"a1\.3 has not both"):
        authored.read_assignments(tmp_path)
    with pytest.raises(FileNotFoundError, match="nbs/assignments"):
        authored.read_assignments(tmp_path / "nowhere")


# --- submissions ----------------------------------------------------------------------------------


def submit(folder, change=None, answered=True, name="a1"):
    """A student's notebook: the release, answered by the reference, then changed by `change`."""
    notebook = building.plain(ALL[name])
    cells = {cell["id"]: cell for cell in notebook["cells"]}
    for id, task in ALL[name].tasks.items():
        if answered:
            cells[building.cell_id("solution", id)]["source"] = task.solution
    if change:
        change(notebook, cells)
    path = folder / "student" / f"{name}.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notebook))
    return path


def graded(folder, change=None, **options):
    return {m.id: m for m in grading.grade_notebook(ALL["a1"], submit(folder, change, **options))}


def test_a_right_submission_gets_all_points(tmp_path):
    assert sum(m.points for m in graded(tmp_path).values()) == 12


def test_a_blank_submission_gets_none_and_says_so(tmp_path):
    marks = graded(tmp_path, answered=False).values()
    assert {(m.points, m.why) for m in marks} == {(0, "not answered")}


HEAD = "def neighbour_distances(points, k):\n    "
REASONS = {
    "loops": (HEAD + "while True:\n        pass", "did not end within"),
    "eats memory": (HEAD + "return [0] * 10**9", "MiB of memory"),
    "other name": ("def distances(points, k):\n    return []", "defines distances where"),
    "prints": (HEAD + "print([1.0, 1.0, 2.0])", "write `return`"),
    "is no Python": ("def neighbour_distances(points, k)\n    return []", "line 1"),
    "reads files": (HEAD + "return open('/etc/passwd').read()", "what is not allowed"),
    "needs numpy": ("import numpy\n" + HEAD + "return []", "standard library"),
    "leaves": ("import os\n" + HEAD + "os._exit(0)", "process"),
    "is empty": ("", "defines nothing where"),
    "recurses": (HEAD + "return neighbour_distances(points, k)", "RecursionError"),
    "loops at once": (HEAD + "return []\n\nwhile True: pass", "did not end within"),
    "is nested deeply": ("x = " + "-" * 19_000 + "1\n" + HEAD + "return []", "not Python"),
    "is nested in brackets": ("x = " + "(" * 9_000 + ")" * 9_000, "not Python"),
    "is endless": (HEAD + "return [" + "1, " * 20_000 + "]", "characters"),
    "raises": (HEAD + "raise KeyError('x')", "KeyError"),
    "returns an equal of all": (
        "class E(list):\n    def __eq__(self, other):\n        return True\n"
        "    __len__ = lambda self: 60\n\n" + HEAD + "return E()",
        "k = 1 gives",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_a_bad_answer_costs_its_own_points_and_says_why(case, tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "TIMEOUT", 2.0)
    source, why = REASONS[case]
    marks = graded(tmp_path, lambda _, cells: cells["a1-1-solution"].update(source=source))
    assert marks["a1.1"].points == 0 and why in marks["a1.1"].why
    assert sum(m.points for m in marks.values()) == 9


def cut(cell_id):
    def change(notebook, cells):
        notebook["cells"].remove(cells[cell_id])

    return change


def twice(notebook, cells):
    notebook["cells"].append(cells["a1-1-solution"])


def loosen(notebook, cells):
    cells["a1-1-grade"]["source"] = "assert True"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (cut("a1-1-solution"), "cell is missing"),
        (cut("a1-1-grade"), "edited or removed"),
        (loosen, "edited or removed"),
        (twice, "more than once"),
    ],
)
def test_a_changed_notebook_costs_the_points_of_the_cell(change, why, tmp_path):
    marks = graded(tmp_path, change)
    assert marks["a1.1"].points == 0 and why in marks["a1.1"].why
    assert sum(m.points for m in marks.values()) == 9


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"cells": 3}', '{"cells": [7]}', "\udcff"]
)
def test_a_file_that_is_no_notebook_gets_none_and_the_others_are_graded(text, tmp_path):
    good = submit(tmp_path)
    bad = tmp_path / "other" / "a1.ipynb"
    bad.parent.mkdir()
    bad.write_bytes(text.encode("utf-8", "surrogateescape"))
    marks = grading.grade({"a1": ALL["a1"]}, tmp_path, tmp_path / "grades.csv")
    assert {m.student: m.points for m in marks} == {"other": 0, good.parent.name: 3}
    assert all("no notebook" in m.why for m in marks if m.student == "other")
    assert (tmp_path / "grades.csv").read_text().count("\n") == 9


def test_comments_and_outputs_in_a_test_cell_are_no_edit(tmp_path):
    def change(notebook, cells):
        cells["a1-1-grade"]["source"] += "\n\n# passes!"
        cells["a1-1-grade"]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]

    assert sum(m.points for m in graded(tmp_path, change).values()) == 12


# --- the command line -----------------------------------------------------------------------------


def test_commands_build_check_and_grade(tmp_path):
    def call(*arguments):
        return CliRunner().invoke(app, ["course", *map(str, arguments)])

    done = call("build", tmp_path / "made", "--source", SOURCE, "--seed", 3)
    assert done.exit_code == 0
    assert "SEED = 3" in (tmp_path / "made" / "plain" / "a2.ipynb").read_text()
    (tmp_path / "handed").mkdir()
    submit(tmp_path / "handed")
    done = call("grade", tmp_path / "handed", "--source", SOURCE, "--out", tmp_path / "g.csv")
    assert done.exit_code == 0 and "1 students: 12 of 12 points" in done.output
    done = call("grade", tmp_path / "made", "--source", SOURCE / "none")
    assert done.exit_code == 2 and "nbs/assignments" in done.output
    done = call("grade", tmp_path / "none", "--source", SOURCE)
    assert done.exit_code == 2 and "STUDENT/a1.ipynb" in done.output

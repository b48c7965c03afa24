"""Every lesson, run from top to bottom in a process of its own, and the solutions after it."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat.v4 as nb
import pytest
from lessons import stored
from lessons.runner import faults
from lessons.stored import alike, compared_loosely, differences, remember

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 900  # seconds per notebook and its solutions: a busy machine is no fault of theirs
NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))
LESSONS = [path for path in NOTEBOOKS if path.stem[0].isdigit()]


def run(path, environment):
    """The finished process of one notebook.

    Raises:
        subprocess.TimeoutExpired: it ran longer than `LIMIT`.
    """
    return subprocess.run(
        [sys.executable, str(ROOT / "tests" / "lessons" / "runner.py"), str(path)],
        cwd=ROOT / "nbs", env=environment, capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip


@pytest.fixture
def environment(tmp_path):
    """At fast scale, without the network; one thread a worker where several share the cores."""
    found = os.environ | {
        "PYTHONPATH": str(ROOT),
        "MPLBACKEND": "agg",
        "SYNTHKIT_SCALE": "fast",
        "HF_HUB_OFFLINE": "1",
        "TQDM_DISABLE": "1",
    }
    if "PYTEST_XDIST_WORKER" in os.environ:
        found["OMP_NUM_THREADS"] = "1"
    return found


@pytest.mark.notebook
@pytest.mark.timeout(LIMIT + 30)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_lesson_runs(path, environment):
    done = run(path, environment)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_exercises_have_id_hint_and_a_solution_that_asserts(path):
    assert not faults(path)


SOLVED = (
    """## 1. Exercises

**77.1** (easy, essential, 1 minute) Add.

<details><summary>Hint</summary>Count.</details>
""",
    """number = ...

check("77.1", number)""",
    """<details><summary>Solution</summary>

```python
# a comment is no heading
number = 1 + lesson
print(number, twice())
```
```text
3 4
```

It is three.
</details>
""",
    """**77.2** (hard, optional, 2 minutes) Double. *Hint:* add twice.""",
    """double = ...

check("77.2", double)""",
    """<details><summary>Solution</summary>

```python
# after 77.1
double = number * 2
print("twice", double)
```
```text
twice 6
```
</details>
""",
)
LESSON = (
    """import sys, types
from synthkit.course import checker

module = types.ModuleType("synthkit.course.lesson_77")
module.exercise_1 = lambda answer, lesson: None if answer == 3 else "a miscount."
module.exercise_2 = lambda answer, lesson: None if answer == 6 else "not twice."
sys.modules["synthkit.course.lesson_77"] = module
check = checker(globals())""",
    "lesson = 2",
    "def twice():\n    return 2 * lesson",
    "#| slow\n1 / 0",
    "#| eval: false\n1 / 0",
)
WRONG = """WRONG = [
    ("77.1", "a miscount", "2 + lesson", "1 + lesson"), ("77.1", "a miscount", "number = -3"),
    ("77.2", "not twice", "double = 7"), ("77.2", "not twice", "number * 3", "number * 2"),
]"""


@pytest.fixture
def written(tmp_path):
    """A function that writes a notebook of cells, and its wrong answers where the tests' are."""

    def write(*sources, wrong=WRONG, stored=()):
        cells = []
        for source in sources:
            code = not source.startswith(("##", "**", "<"))
            cells.append((nb.new_code_cell if code else nb.new_markdown_cell)(source))
            if found := re.search(r"check\(.([\d.]+)., ", source) if code else None:
                data = {"text/plain": f"{found[1]}: not answered yet."}
                cells[-1].outputs = [nb.new_output("execute_result", data)]
            if source in dict(stored):
                cells[-1].outputs = dict(stored)[source]
        path = tmp_path / "nbs" / "77_some.ipynb"
        for name, text in ((path, nb.writes(nb.new_notebook(cells=cells))),
                           (tmp_path / "tests" / "course" / "wrong_77.py", wrong)):  # fmt: skip
            name.parent.mkdir(parents=True, exist_ok=True)
            name.write_text(text)
        return path

    return write


def changed(old, new):
    return [source.replace(old, new) for source in (*LESSON, *SOLVED)]


@pytest.mark.timeout(LIMIT)
def test_exercises_that_hold_pass(environment, written):
    done = run(written(*LESSON, *SOLVED), environment)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize(
    "old, new, told",
    [
        ("lesson = 2", "1 / 0", "ZeroDivisionError"),
        ("# after 77.1", "", "solution 77.2> fails"),  # it sees the lesson's names alone
        ("number * 2", "number * 2 + 1", "solution 77.2 is not taken as right: not twice."),
        ("twice 6", "twice 9", "and not the stored\ntwice 9"),
        ("twice 6", "thrice 6", "and not the stored\nthrice 6"),
    ],
)
def test_what_does_not_hold_is_told_by_name(environment, written, old, new, told):
    done = run(written(*changed(old, new)), environment)
    assert done.returncode == 1 and told in done.stderr, done.stderr[-2000:]


@pytest.mark.timeout(LIMIT)
def test_a_wrong_answer_that_is_not_told_fails(environment, written):
    wrong = """WRONG = [("77.1", "a miscount", "number = 3"), ("77.2", "thrice", "double = 9"),
    ("77.2", "not twice", "3", "no such text")]"""
    done = run(written(*LESSON, *SOLVED, wrong=wrong), environment)
    assert done.returncode == 1
    for told in ("is answered 'right.'", "is answered 'not twice.'", "stands 0 times"):
        assert told in done.stderr, done.stderr[-2000:]


@pytest.mark.parametrize(
    "old, new, fault",
    [
        ("", "", None),
        ("**77.2**", "**77.3**", "77.3: its id should be 77.2"),
        ("<summary>Hint</summary>", "<summary>Help</summary>", "77.1: no hint"),
        ("<summary>Solution</summary>", "<summary>Answer</summary>", "77.1: it needs one folded"),
        ("(easy, essential, 1 minute)", "(easy)", "77.1: it needs it begins"),
        ("number = ...", "number = 3", "77.1: it needs a stub with ..."),
        ("```text\n3 4\n```", "", "77.1: it needs a fence of text"),
    ],
)
def test_what_an_exercise_lacks_is_said(written, old, new, fault):
    found = faults(written(*changed(old, new)))
    assert any(each.startswith(fault) for each in found) if fault else not found


def test_two_wrong_answers_are_needed(written):
    found = faults(written(*LESSON, *SOLVED, wrong="WRONG = []"))
    assert found == [f"77.{k}: it needs two wrong answers in tests/course" for k in (1, 2)]


def test_results_are_compared_within_a_tolerance():
    assert alike("{'a': 0.31}, 40 of 60", "{'a': 0.30}, 41 of 60")
    assert not alike("a 1.0", "b 1.0") and not alike("a 1.0", "a 2.0") and not alike("1", "1 2")
    assert alike("2,000 of [-0.01 3.  ]", "1,950 of [ 0.02  3.1]")
    assert not alike("2,000", "2,300") and not alike("+0.1", "-0.1") and alike("+0.01", "−0.01")


def printed(text):
    return nb.new_output("stream", text=text, name="stdout")


def table(*rows):
    cells = ["".join(f"<td>{cell}</td>" for cell in row.split("|")) for row in rows]
    style = f"<style>#T_{abs(hash(rows))} td {{}}</style>"
    data = {"text/html": f"{style}<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"}
    return nb.new_output("execute_result", data | {"text/plain": "laid out anew"})


def figure(size="640x480", alt=""):
    data = {"image/png": "", "text/plain": f"<Figure size {size} with 1 Axes>"}
    return nb.new_output("display_data", data, metadata={"image/png": {"alt": alt}} if alt else {})


@pytest.mark.parametrize(
    "stored, ran, told",
    [
        ([printed("a 1.00\n")], [printed("a 1.04\n")], ""),
        ([printed("a 1.00\nb 2\n")], [printed("a 1.3\nb 2\n")], "    a 1.3\n"),
        ([printed("one cat")], [printed("one dog")], "not the stored\n    one cat"),
        ([table("a|1", "b|2")], [table("a|1.01", "b|2")], ""),
        ([table("a|1", "b|2")], [table("a|1", "b|3")], "    b 3\nand not the stored\n    b 2"),
        ([table("a|1", "b|2")], [table("a|1")], "not the stored"),
        ([table("a|1")], [], "shows 0 results, and 1 are stored"),
        ([], [table("a|1")], "shows 1 results, and 0 are stored"),
        ([], [printed("a")], "nothing is stored"),
        ([printed("a")], [], "shows nothing"),
        ([figure(alt="A line.")], [figure()], ""),
        ([figure(alt="A line.")], [], "shows 0 figures, and 1 are stored"),
        ([figure(alt="A line.")], [figure(), figure()], "shows 2 figures, and 1 are stored"),
        ([figure(alt="A line.")], [figure("640x240")], "640x240"),
        ([figure(alt="A curve.")], [figure()], "    A line.\nand not the stored\n    A curve."),
        ([], [nb.new_output("stream", text="Loading: 10 %", name="stderr")], ""),
    ],
)
def test_a_cell_must_show_what_it_stores(stored, ran, told):
    found = differences('#| fig-alt: "A line."\nplot()', stored, ran)
    assert bool(found) == bool(told) and told in "\n".join(found)


def test_a_cell_that_varies_is_compared_loosely():
    varies = "#| varies: texts written by a trained model\nwrite()"
    for old, new, same in [
        (printed("a 1\nb 2\n"), printed("no cat\nno dog\n2\n"), True),
        (printed("a 1\nb 2\n"), printed("1\n2\n3\n4\n5\n"), False),
        (printed("It is not on this machine.\n"), printed("1\n2\n3\n4\n"), True),
        (printed("a"), printed(""), False),
        (printed(""), printed("a"), False),
        (table("a|1"), table("b|2"), True),
        (table("a|1"), printed("a 1"), False),
        (figure(), figure("1x1"), False),
    ]:
        assert bool(differences(varies, [old], [new])) != same, (old, new)
        assert bool(differences("write()", [old], [new], loosely=True)) != same
        assert bool(differences("write()", [old], [new]))


def test_cells_that_differ_between_machines_are_compared_loosely(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "STORED_ON", tmp_path / "stored_on.json")
    cells = ["a", "b", "c"]
    assert not compared_loosely("77", cells)  # nothing is known of it
    remember("77")
    assert not compared_loosely("77", cells) and "torch" in stored.machine()
    remember("77", ["b"])  # a run differed here though the lesson was stored here
    assert compared_loosely("77", cells) == {"b"}
    monkeypatch.setattr(stored, "machine", lambda: "another")
    assert compared_loosely("77", cells) == {*cells}
    remember("77", ["c", "gone"])
    assert compared_loosely("77", cells) == {"b", "c"}
    assert len(stored.known()["77"]["machines"]) == 2
    remember("77")  # stored anew: what the first machine shows is not known any more
    assert stored.known()["77"]["machines"] == ["another"]
    assert compared_loosely("77", cells) == {"b", "c"}


def test_processes_that_store_at_once_lose_no_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "STORED_ON", tmp_path / "stored_on.json")
    names = [f"lesson {i}" for i in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(remember, names))
    assert set(stored.known()) == set(names)


def test_the_machine_of_every_lesson_is_known():
    assert {path.stem for path in NOTEBOOKS} <= set(stored.known())


PLOT = """#| fig-alt: "A line."
import matplotlib.pyplot as plt
import pandas as pd

print("drawn", 7)
plt.plot([1, 2])
plt.show()
pd.DataFrame({"a": [1.5]})"""


@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize(
    "stored, told",
    [
        ([printed("drawn 7\n"), figure(alt="A line."), table("|a", "0|1.5")], ""),
        ([printed("drawn 9\n"), table("|a", "0|2.5")], "    drawn 7\n"),
    ],
)
def test_outputs_of_a_run_are_compared_with_the_stored(environment, written, stored, told):
    done = run(written(*LESSON, PLOT, *SOLVED, stored=[(PLOT, stored)]), environment)
    assert done.returncode == bool(told), done.stderr[-2000:]
    if told:
        for words in (
            "77_some, the cell",
            told,
            "1 figures, and 0",
            "run_notebooks.py 77",
            "0 2.5",
        ):
            assert words in done.stderr, done.stderr[-2000:]

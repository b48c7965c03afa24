"""Every lesson, run from top to bottom in a process of its own, and the solutions after it."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat.v4 as nb
import pytest
from lessons.runner import faults

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


SOLVED = """## 1. Exercises

**77.1** (easy, 1 minute) Add.

<details><summary>Hint</summary>Count.</details>
<details><summary>Solution</summary>

```python
# a comment is no heading
number = 3
assert number == lesson + 1 and twice() == 4
```

It is three.
</details>

**77.2** (easy, 1 minute) Double. *Hint:* add twice.

<details><summary>Solution</summary>

```python
# after 77.1
assert number * 2 == 6
```
</details>
"""


@pytest.fixture
def written(tmp_path):
    """A function that writes a notebook of cells; text that begins with ## is markdown."""

    def write(*sources):
        new = nb.new_notebook(
            cells=[
                (nb.new_markdown_cell if source.startswith("##") else nb.new_code_cell)(source)
                for source in sources
            ]
        )
        path = tmp_path / "77_some.ipynb"
        path.write_text(nb.writes(new))
        return path

    return write


@pytest.mark.timeout(LIMIT)
def test_cells_and_solutions_that_fail_do_so_by_name(environment, written):
    cells = (
        "lesson = 2",
        "def twice():\n    return 2 * lesson",
        "#| slow\n1 / 0",
        "#| eval: false\n1 / 0",
    )
    done = run(written(*cells, SOLVED), environment)
    assert done.returncode == 0, done.stderr[-2000:]
    done = run(written("1 / 0"), environment)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr
    alone = SOLVED.replace("# after 77.1", "")  # a solution sees the lesson's names, not another's
    done = run(written(*cells, alone), environment)
    assert done.returncode == 1 and "solution 77.2 fails" in done.stderr
    assert "NameError" in done.stderr and "77.1" not in done.stderr


@pytest.mark.parametrize(
    "old, new, fault",
    [
        ("", "", None),
        ("assert number * 2 == 6", "number * 2 == 6", "77.2: no assert"),
        ("**77.2**", "**77.3**", "77.3: its id should be 77.2"),
        ("<summary>Hint</summary>", "<summary>Help</summary>", "77.1: no hint"),
        ("<summary>Solution</summary>", "<summary>Answer</summary>", "77.1: it needs one folded"),
    ],
)
def test_what_an_exercise_lacks_is_said(written, old, new, fault):
    found = faults(written(SOLVED.replace(old, new)))
    assert any(each.startswith(fault) for each in found) if fault else not found

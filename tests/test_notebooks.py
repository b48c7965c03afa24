"""Every lesson, run from top to bottom in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 300  # seconds a notebook: twice what the slowest takes on two busy cores
NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))

# Cells flagged `eval: false`, `slow` or `gpu` are left out, as nbdev-test leaves them out.
RUN = """
import sys
from nbdev.config import get_config
from nbdev.test import test_nb
flags = get_config().tst_flags
flags = flags.split() if isinstance(flags, str) else list(flags)
right, seconds = test_nb(sys.argv[1], skip_flags=flags)
print(f"{seconds:.1f} s")
sys.exit(0 if right else 1)
"""


def run(path, environment):
    """The finished process of one notebook.

    Raises:
        subprocess.TimeoutExpired: it ran longer than `LIMIT`.
    """
    return subprocess.run(
        [sys.executable, "-c", RUN, str(path)],
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


@pytest.mark.timeout(LIMIT)
def test_a_failing_cell_fails_and_a_flagged_one_is_left_out(environment, tmp_path):
    import nbformat.v4 as nb

    def written(*sources):
        notebook = nb.new_notebook(cells=[nb.new_code_cell(source) for source in sources])
        path = tmp_path / "some.ipynb"
        path.write_text(nb.writes(notebook))
        return path

    done = run(written("1 / 1", "#| slow\n1 / 0", "#| eval: false\n1 / 0"), environment)
    assert done.returncode == 0, done.stderr[-2000:]
    done = run(written("1 / 0"), environment)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr

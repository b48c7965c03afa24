"""Runs that are killed and called again leave the bytes of an uninterrupted run: one kill a run.

`python tests/tools/kill_runs.py` does it at 120 moments.
"""

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[1] / "tools" / "kill_runs.py"


def test_killed_runs_end_like_whole_ones():
    done = subprocess.run(
        [sys.executable, TOOL, "--aimed", "15"],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "15 of 15 equal"
    assert "killed: 15" in done.stdout, "each of them was really killed"

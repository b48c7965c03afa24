"""Runs that are killed and called again leave the bytes of an uninterrupted run: a sample of it.

`python tests/tools/kill_runs.py` does it for all long runs, at 120 moments.
"""

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[1] / "tools" / "kill_runs.py"


def test_killed_runs_end_like_whole_ones():
    runs = ("finetune", "SoftSRV_fit", "SPA_fit")
    done = subprocess.run(
        [sys.executable, TOOL, "--aimed", "6", "--random", "0", "--runs", *runs],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "6 of 6 equal"
    assert "killed: 6" in done.stdout, "each of them was really killed"

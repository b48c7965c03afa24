"""Grade a method of a student's own by the contract that the kit's methods keep.

    python tests/tools/grade_project.py my_method.py

The file defines `CASE`, a `Case` of tests/contract/methods.py. Its tests run in a process of their
own, with limits on time and memory. Prints what fails, and points out of 10; the exit status is 0
whatever the method does, and 2 if there is no such file.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
NAME = "SixthMethod"  # of the case in the contract's table
POINTS = 10
SECONDS, EACH, GIBIBYTES = 900, 60, 16  # of all tests, of one test, of address space


def limit() -> None:
    """Resource limits of the calling process."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (GIBIBYTES * 2**30,) * 2)


def contract(path: Path, selection: str = NAME) -> tuple[list[str], int, str]:
    """Names of the tests that fail, the number of tests, and what ended the run early, or ""."""
    with tempfile.TemporaryDirectory(prefix="project-") as folder:
        result = Path(folder) / "result.xml"
        paths = [str(ROOT), str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "SYNTHKIT_METHOD": str(path.resolve()), "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", selection]
        command += [f"--timeout={EACH}", "-o", "junit_family=xunit1", f"--junitxml={result}"]
        command.append(str(ROOT / "tests" / "contract" / "test_contract.py"))
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True,
                timeout=SECONDS, preexec_fn=limit,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return [], 0, f"the tests did not end within {SECONDS} seconds"
        if not result.is_file():
            return [], 0, _last(done.stdout + done.stderr)
        cases = [c for c in ElementTree.parse(result).iter("testcase") if NAME in c.get("name", "")]
    bad = [c.get("name", "") for c in cases if c.find("failure") is not None]
    bad += [c.get("name", "") for c in cases if c.find("error") is not None]
    return bad, len(cases), "" if cases else _last(done.stdout + done.stderr)


def _last(output: str) -> str:
    told = [line[2:].strip() for line in output.splitlines() if line.startswith("E  ")]
    return told[-1] if told else (output.strip().splitlines() or ["no test ran"])[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description="Grade a method by the contract.")
    parser.add_argument("file", type=Path, help="a file that defines CASE")
    parser.add_argument("-k", default=NAME, metavar="WORDS", help="ask only tests of these words")
    arguments = parser.parse_args()
    if not arguments.file.is_file():
        print(f"there is no file {arguments.file}", file=sys.stderr)
        return 2
    bad, number, why = contract(arguments.file, arguments.k)
    for name in bad:
        print(f"fails: {name}")
    if why:
        print(f"no test could be run: {why}")
    share = (number - len(bad)) / number if number else 0.0
    print(f"{number - len(bad)} of {number} tests pass: {POINTS * share:.1f} of {POINTS} points")
    return 0


if __name__ == "__main__":
    sys.exit(main())

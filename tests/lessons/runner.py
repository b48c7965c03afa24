"""Run a lesson and then the solutions of its exercises: `python tests/lessons/runner.py NOTEBOOK`.

An exercise of lesson NN stands in a markdown cell under a heading "Exercises":

    **NN.1** (easy, 10 minutes) The question.

    <details><summary>Hint</summary>…</details>
    <details><summary>Solution</summary>

    Prose, and fences of python whose `assert`s check what the prose claims.
    </details>

Each solution runs after the lesson's last cell, in a copy of the lesson's names; one that begins
with the comment `# after NN.k` starts from the names that solution NN.k left.
"""

import ast
import json
import linecache
import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

HEADING = re.compile(r"## (?:\d+\. )?Exercises\s*$", re.M)
START = re.compile(r"^\*\*(?=E?\d)", re.M)  # a bold number begins an exercise
FENCE = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
SOLUTION = re.compile(r"<details><summary>Solution</summary>(.*?)</details>", re.S)
HINT = re.compile(r"<summary>Hint</summary>|\bHint:")


class Exercise(NamedTuple):
    id: str  # "11.2"
    text: str  # all of it
    code: str  # the python of its solution, "" where there is none

    @property
    def after(self) -> str | None:
        """The id of the solution whose names this one starts from."""
        found = re.match(r"# after (\S+)\s*$", self.code, re.M)
        return found and found[1]


def exercises(path: Path) -> list[Exercise]:
    """Every exercise of the notebook, in reading order."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    found, inside = [], False
    for text in prose:
        for part in re.split(r"(?=^##+ )", text, flags=re.M):
            if part.startswith("##"):
                inside = bool(HEADING.match(part))
            if inside:
                found += [exercise(block) for block in START.split(part)[1:]]
    return found


def exercise(block: str) -> Exercise:
    solution = "".join(SOLUTION.findall(block))
    return Exercise(re.match(r"[\w.]*\w", block)[0], block, "\n".join(FENCE.findall(solution)))


def faults(path: Path) -> list[str]:
    """What the lesson's exercises lack, in words."""
    found = exercises(path)
    wrong = [] if found else ["no exercise: one begins with **NN.k under a heading Exercises"]
    lesson = path.stem[:2]
    for k, each in enumerate(found, 1):
        if each.id != f"{lesson}.{k}":
            wrong.append(f"{each.id}: its id should be {lesson}.{k}")
        if not HINT.search(each.text):
            wrong.append(f"{each.id}: no hint")
        if len(SOLUTION.findall(each.text)) != 1:
            wrong.append(f"{each.id}: it needs one folded solution")
        elif not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(each.code))):
            wrong.append(f"{each.id}: no assert in its solution checks what the text claims")
    return wrong


def run_lesson(path: Path) -> bool:
    """Run the lesson's cells; those flagged `eval: false`, `slow` or `gpu` are left out."""
    from nbdev.config import get_config
    from nbdev.test import test_nb

    flags = get_config().tst_flags
    right, seconds = test_nb(path, skip_flags=flags.split() if isinstance(flags, str) else flags)
    print(f"{path.stem}: {seconds:.1f} s")
    return right


def run_solutions(path: Path) -> bool:
    """Run each solution in the shell that ran the lesson; say which fail."""
    from execnb.shell import format_exc
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell._instance
    lesson, left, right = dict(shell.user_ns), {}, True
    for each in exercises(path):
        name = f"<solution {each.id}>"
        linecache.cache[name] = (len(each.code), None, each.code.splitlines(True), name)
        left[each.id] = dict(left[each.after] if each.after else lesson)

        def solve(code=each.code, name=name, names=left[each.id]):
            exec(compile(code, name, "exec"), names)

        shell.user_ns["run_solution"] = solve
        start = time.time()
        shell.run("run_solution()")  # on the shell's thread, as the lesson
        print(f"solution {each.id}: {time.time() - start:.1f} s")
        if shell.exc is not None:
            right = False
            print(f"solution {each.id} fails:\n{''.join(format_exc(shell.exc))}", file=sys.stderr)
    return right


if __name__ == "__main__":
    notebook = Path(sys.argv[1]).resolve()
    sys.exit(0 if run_lesson(notebook) and run_solutions(notebook) else 1)

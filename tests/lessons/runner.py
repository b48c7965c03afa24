"""Run a lesson and then its exercises: `python tests/lessons/runner.py NOTEBOOK [OPTION]`.

Each cell of the lesson must show what it stores; `stored.py` has the rule. `--varies` runs the
cells alone and notes those that show something else here, to be compared loosely from now on.

An exercise of lesson NN stands under a heading "Exercises", in three cells:

    **NN.1** (easy, essential, 10 minutes) The question.
    <details><summary>Hint</summary>…</details>

    answer = ...                      # a stub: a code cell that ends with its check
    check("NN.1", answer)

    <details><summary>Solution</summary>

    A fence of python, a fence of text with what it prints, and prose.
    </details>

Each solution runs after the lesson's last cell, in a copy of the lesson's names; one that begins
with the comment `# after NN.k` starts from the names that solution NN.k left. It must print the
stored text, numbers within a tolerance, and be right. The wrong answers of `tests/course/` must be
told by the words that they name. `--store` writes what solutions print into the notebook.
"""

import contextlib
import copy
import io
import json
import linecache
import os
import re
import runpy
import sys
import time
import traceback
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).resolve().parents[1]))

from lessons.stored import VARIES, alike, compared_loosely, differences, remember

HEADING = re.compile(r"## (?:\d+\. )?Exercises\s*$", re.M)
START = re.compile(r"(?=^\*\*E?\d)", re.M)  # a bold number begins an exercise
FENCE = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
RESULT = re.compile(r"^```text\n(.*?)^```", re.M | re.S)
SOLUTION = re.compile(r"<details><summary>Solution</summary>(.*?)</details>", re.S)
HINT = re.compile(r"<summary>Hint</summary>|\bHint:")
CARD = re.compile(
    r"\*\*[\d.]+\*\* \((easy|medium|hard), (essential|useful|optional), (\d+) minutes?\) \S"
)
CHECK = re.compile(r"^check\(.*\)$", re.M)
LIMIT = 600  # seconds a cell


class Exercise(NamedTuple):
    id: str  # "11.2"
    text: str  # all of its prose
    code: str  # the python of its solution, "" where there is none
    stub: str  # the code cell to be filled in, "" where there is none
    reply: str  # what the stub's cell shows

    @property
    def after(self) -> str | None:
        """The id of the solution whose names this one starts from."""
        found = re.match(r"# after (\S+)\s*$", self.code, re.M)
        return found and found[1]

    @property
    def result(self) -> str | None:
        """What the solution prints, as stored."""
        found = RESULT.search("".join(SOLUTION.findall(self.text)))
        return found and found[1]


class Wrong(NamedTuple):
    """A plausible wrong answer, and words of the reply that names its mistake.

    With `old`, it is the solution with `new` in place of `old`; without, `new` runs after it.
    """

    id: str
    words: str
    new: str
    old: str = ""


def exercises(path: Path) -> list[Exercise]:
    """Every exercise of the notebook, in reading order."""
    found, inside = [], False
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            if found and inside and CHECK.search(source):
                found[-1] |= {"stub": source, "reply": shown(cell)}
            continue
        for part in re.split(r"(?=^##+ )", source, flags=re.M):
            if part.startswith("##"):
                inside = bool(HEADING.match(part))
            for block in START.split(part) if inside else ():
                if START.match(block):
                    found.append({"text": block, "stub": "", "reply": ""})
                elif found and block == part:  # goes on in a cell of its own
                    found[-1]["text"] += block
    return [exercise(**each) for each in found]


def shown(cell: dict) -> str:
    data = [output.get("data", {}).get("text/plain", "") for output in cell["outputs"]]
    return "".join("".join(one) for one in data)


def exercise(text: str, stub: str, reply: str) -> Exercise:
    solution = "".join(SOLUTION.findall(text))
    id = re.match(r"\*\*([\w.]*\w)", text)[1]
    return Exercise(id, text, "\n".join(FENCE.findall(solution)), stub, reply)


def wrong_answers(path: Path) -> list[Wrong]:
    """The wrong answers to a lesson's exercises: `WRONG` in `tests/course/wrong_NN.py`."""
    data = path.resolve().parents[1] / "tests" / "course" / f"wrong_{path.stem[:2]}.py"
    return [Wrong(*each) for each in runpy.run_path(str(data))["WRONG"]] if data.exists() else []


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
        else:
            wrong += lacks(each, [answer.id for answer in wrong_answers(path)].count(each.id))
    return wrong


def lacks(each: Exercise, n_wrong: int) -> list[str]:
    """What an exercise that answers back lacks."""
    needs = {
        "it begins **NN.k** (easy, essential, 10 minutes)": CARD.match(each.text),
        "a stub with ... to be filled in": re.search(r"([=:,]|return) \.\.\.", each.stub),
        f'a stub that ends with check("{each.id}", …)': each.stub.split("\n")[-1].startswith(
            f'check("{each.id}", '
        ),
        "a stub that shows 'not answered yet.'": each.reply == f"{each.id}: not answered yet.",
        "a fence of text in its solution: run tests/lessons/runner.py --store": each.result,
        "two wrong answers in tests/course": n_wrong >= 2,
    }
    return [f"{each.id}: it needs {what}" for what, there in needs.items() if not there]


def run_lesson(path: Path) -> list[tuple] | None:
    """Run the lesson's cells; those flagged `eval: false`, `slow` or `gpu` are left out.

    Returns the id, the source, the stored and the new outputs of each cell; None where one fails.
    """
    from execnb.shell import CaptureShell
    from nbdev.config import get_config
    from nbdev.process import NBProcessor
    from nbdev.test import nb_test_cells

    flags, start = get_config().tst_flags, time.time()
    flags = flags.split() if isinstance(flags, str) else flags
    notebook = NBProcessor(path, rm_directives=False, process=True).nb
    chosen = [cell.id for cell in nb_test_cells(path, flags)]
    cells = [cell for cell in notebook.cells if cell.id in chosen]
    stored = [cell.outputs for cell in cells]
    os.environ["IN_TEST"] = "1"
    os.chdir(path.parent)
    shell = CaptureShell(path)
    try:
        left_out = lambda cell: cell.id not in chosen  # noqa: E731
        shell.run_all(notebook, exc_stop=True, preproc=left_out, cell_timeout=LIMIT)
    except Exception:
        print(shell.prettytb(fname=path) or traceback.format_exc(), file=sys.stderr)
        return None
    finally:
        print(f"{path.stem}: {time.time() - start:.1f} s", flush=True)
    return [(cell.id, cell.source, old, cell.outputs) for cell, old in zip(cells, stored)]


def outputs_hold(path: Path, cells: list[tuple]) -> bool:
    """Whether the cells show what they store; say which do not, and what to do."""
    outputs = [(id, source, a, b) for id, source, a, b in cells if a or b]
    loosely = compared_loosely(path.stem, [id for id, *_ in outputs])
    few = sum(id in loosely or bool(VARIES.search(source)) for id, source, *_ in outputs)
    print(f"{path.stem}: {len(outputs)} cells have outputs, {few} of them compared loosely")
    right = True
    for id, source, a, b in outputs:
        for each in differences(source, a, b, id in loosely):
            right, code = False, re.sub(r"\A(?:#\|.*\n)+", "", source)
            print(f"{path.stem}, the cell {code[:60]!r} {each}", file=sys.stderr)
    if not right:
        print(
            "If the new outputs are right, store them: "
            f"python tests/tools/run_notebooks.py {path.stem.split('_')[0]}\n"
            "If a cell's rightly differ between runs, say so in it: #| varies: why\n"
            f"If they differ between machines: python tests/lessons/runner.py {path} --varies",
            file=sys.stderr,
        )
    return right


def note_what_varies(path: Path, cells: list[tuple]) -> None:
    """Remember the cells that show something else here than they store, and say what."""
    found = {id: differences(source, a, b) for id, source, a, b in cells}
    varies = [id for id, there in found.items() if there]
    for id in varies:
        print(f"{path.stem}, the cell with the id {id}", *found[id], sep="\n")
    print(f"{path.stem}: {len(varies)} of {len(cells)} cells show something else here", flush=True)
    remember(path.stem, varies)


class Solutions:
    """The exercises of a lesson, solved rightly and wrongly in the shell that ran it."""

    def __init__(self, compare: bool):
        from IPython.core.interactiveshell import InteractiveShell

        self.compare, self.shell = compare, InteractiveShell._instance
        self.lesson, self.left = dict(self.shell.user_ns), {}
        self.results: dict[str, str] = {}
        self.right = True

    def run(self, names: dict, name: str, *codes: str) -> str | None:
        """What the codes print; None where one fails, which is told."""
        from execnb.shell import format_exc

        printed = io.StringIO()

        def solve():
            with contextlib.redirect_stdout(printed):
                for code in codes:
                    linecache.cache[name] = (len(code), None, code.splitlines(True), name)
                    exec(compile(code, name, "exec"), names)

        self.shell.user_ns["run_solution"] = solve
        self.shell.run("run_solution()")  # on the shell's thread, as the lesson
        if self.shell.exc is None:
            return printed.getvalue()
        self.fail(f"{name} fails:\n{''.join(format_exc(self.shell.exc))}")
        return None

    def fail(self, words: str) -> None:
        self.right = False
        print(words, file=sys.stderr)

    def names(self, start: dict) -> dict:
        """A copy of names, with a `check` that looks at the copy as it would at the notebook."""
        names = dict(start)
        if "check" in names:
            from synthkit.course import checker

            names["check"] = checker(names)
        return names

    def solve(self, each: Exercise) -> None:
        start = time.time()
        begun = self.left[each.after] if each.after else self.lesson
        names = self.left[each.id] = self.names(begun)
        printed = self.run(names, f"<solution {each.id}>", each.code)
        print(f"solution {each.id}: {time.time() - start:.1f} s", flush=True)
        if printed is None or not each.stub:
            return
        self.results[each.id] = printed
        if self.compare and not alike(each.result or "", printed):
            self.fail(f"solution {each.id} prints\n{printed}and not the stored\n{each.result}")
        if (reply := self.reply(each, names)) and not reply.right:
            self.fail(f"solution {each.id} is not taken as right: {reply.words}")

    def reply(self, each: Exercise, names: dict, name: str | None = None):
        line = CHECK.findall(each.stub)[-1]
        if self.run(names, name or f"<check {each.id}>", f"reply_ = {line}") is not None:
            return names["reply_"]

    def mistake(self, each: Exercise, wrong: Wrong) -> None:
        """See that a wrong answer is told by its name."""
        name, start = f"<wrong {each.id} {wrong.words!r}>", time.time()
        if wrong.old and each.code.count(wrong.old) != 1:
            self.fail(f"{name}: {wrong.old!r} stands {each.code.count(wrong.old)} times in it")
            return
        base = self.left[each.id] if not wrong.old else self.left.get(each.after, self.lesson)
        names = self.names(base)
        answer = re.search(r"(\w+)\)$", each.stub)[1]
        names[answer] = copy.deepcopy(names.get(answer))  # the next one starts from the right one
        code = each.code.replace(wrong.old, wrong.new) if wrong.old else wrong.new
        code = re.sub(r"^assert .*$", "", code, flags=re.M)  # the check is to find it
        if self.run(names, name, code) is None:
            return
        reply = self.reply(each, names, name)
        print(f"{name}: {time.time() - start:.1f} s", flush=True)
        if reply and (reply.right or wrong.words not in reply.words):
            self.fail(f"{name} is answered {reply.words!r}")


def run_solutions(path: Path, store: bool = False) -> bool:
    """Solve each exercise rightly, then wrongly; say which fail."""
    solutions = Solutions(compare=not store)
    wrong = wrong_answers(path)
    for each in exercises(path):
        solutions.solve(each)
        for one in wrong if each.id in solutions.results else ():
            if one.id == each.id:
                solutions.mistake(each, one)
    if store:
        store_results(path, solutions.results)
    return solutions.right


def store_results(path: Path, results: dict[str, str]) -> None:
    """Write what solutions print behind their last fence of python."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    id = None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found = re.search(r'^check\("([\w.]+)"', cell.source, re.M)
            id = found[1] if found else None
        elif id in results and SOLUTION.search(cell.source):
            source = re.sub(r"\n```text\n.*?^```", "", cell.source, flags=re.M | re.S)
            end = [found.end() for found in FENCE.finditer(source)][-1]
            cell.source = f"{source[:end]}\n```text\n{results[id]}```{source[end:]}"
    nbformat.write(notebook, path)


if __name__ == "__main__":
    notebook, options = Path(sys.argv[1]).resolve(), sys.argv[2:]
    cells = run_lesson(notebook)
    if cells is None:
        sys.exit(1)
    if "--varies" in options:
        sys.exit(note_what_varies(notebook, cells))
    store = "--store" in options
    sys.exit(not all([run_solutions(notebook, store), store or outputs_hold(notebook, cells)]))

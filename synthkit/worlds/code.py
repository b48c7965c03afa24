"""The code world: small Python tasks, each solved in several styles, with tests that are run.

A row asks for a function in one sentence, answers with code in one of six styles, and carries three
assert statements. A row is right when its code passes its tests in the sandbox and when its syntax
tree shows the style it claims. The tasks are a table in `code_tasks.py`.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..sandbox import run_tests
from .base import Row, World, form_pattern, positive_weights, weighted
from .code_forms import code_template, draw_names, write_prompt, write_tests
from .code_shapes import STYLES
from .code_tasks import TASKS

__all__ = ["STYLES", "TASKS", "CodeWorld", "recognise_style"]

_HIGHER_ORDER = ("map", "filter", "reduce")
_WORDS = dict.fromkeys("fabxotik", r"\w+")  # what a slot of a body holds


def recognise_style(code: str) -> str:
    """The style that the syntax tree of `code` shows.

    One of `STYLES`; when several constructs occur the first of this order counts: recursion,
    while, generator by `yield`, loop, comprehension, generator expression, map/filter/reduce.
    "plain" if there is none of them, "unreadable" if the code does not parse or defines no
    function.
    """
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "unreadable"
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    if not functions:
        return "unreadable"
    if any(function.name in _called(function) for function in functions):
        return "recursion"
    for style, kinds in (
        ("while", ast.While),
        ("generator", (ast.Yield, ast.YieldFrom)),
        ("loop", ast.For),
        ("comprehension", (ast.ListComp, ast.SetComp, ast.DictComp)),
        ("generator", ast.GeneratorExp),
    ):
        if any(isinstance(node, kinds) for node in nodes):
            return style
    called = set().union(*map(_called, functions))
    return "map" if called.intersection(_HIGHER_ORDER) else "plain"


def _called(tree: ast.AST) -> set[str]:
    """The plain names that are called somewhere in `tree`."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {function.id for function in calls if isinstance(function, ast.Name)}


class CodeWorld(World):
    """Small Python functions in six styles.

    Columns: `prompt` (one sentence), `code` (a function of 2 to 7 lines), `tests` (three assert
    statements), and the factors `task` and `style`.
    """

    name = "code"
    columns = ("prompt", "code", "tests", "task", "style")
    factors = header = ("task", "style")

    def __init__(
        self,
        task_weights: Mapping[str, float] | None = None,
        style_weights: Mapping[str, float] | None = None,
    ):
        """
        Args:
            task_weights: how often each task is drawn, up to a factor; a task not named is never
                drawn. Default: 1 / rank in the order of `TASKS` (Zipf's law).
            style_weights: the same for `STYLES`, among those that the drawn task supports.
                Default: uniform.

        Raises:
            ValueError: an unknown name, a negative weight, or a task left without a style.
        """
        zipf = {name: 1 / rank for rank, name in enumerate(TASKS, start=1)}
        even = dict.fromkeys(STYLES, 1.0)
        tasks, styles = (
            positive_weights(default if given is None else given, default, what, f"{what}_weights")
            for what, given, default in (
                ("task", task_weights, zipf),
                ("style", style_weights, even),
            )
        )
        self.task_weights = tasks
        self.style_weights = {
            task: {style: styles[style] for style in TASKS[task].bodies if style in styles}
            for task in self.task_weights
        }
        for task, offered in self.style_weights.items():
            if not offered:
                raise ValueError(
                    f"task {task!r} has only the styles {', '.join(TASKS[task].bodies)}; give one "
                    "of them a weight, or leave the task out of task_weights"
                )

    def example(self, rng: random.Random) -> Row:
        task = weighted(rng, self.task_weights)
        style = weighted(rng, self.style_weights[task])
        return self._row(task, [style], rng)[0]

    def solutions(self, task: str, style: str | None = None, seed: int = 0) -> list[Row]:
        """One prompt of `task`, answered in each style the task supports (or in `style` alone).

        The rows share names, constant, prompt and tests.

        Raises:
            ValueError: there is no such task, or it has no such style.
        """
        _require_cell(task, style)
        offered = TASKS[task].bodies
        rng = random.Random(f"{self.name}-solutions-{task}-{seed}")
        return self._row(task, list(offered) if style is None else [style], rng)

    def _row(self, name: str, styles: Sequence[str], rng: random.Random) -> list[Row]:
        task = TASKS[name]
        constant = rng.choice(task.constants) if task.constants else None
        slots = draw_names(task, rng) | {"k": constant}
        prompt, tests = write_prompt(task, slots, rng), write_tests(task, slots, rng)
        return [
            {
                "prompt": prompt,
                "code": code_template(task, style).format(**slots),
                "tests": list(tests),
                "task": name,
                "style": style,
            }
            for style in styles
        ]

    def check(self, row: Mapping[str, Any]) -> bool:
        """Tell whether the code passes its tests in the sandbox and shows the style it claims.

        Tests that are not assert statements about the code's own function count as wrong.

        Raises:
            KeyError: `code`, `tests` or `style` is missing.
            RuntimeError: the platform has no resource limits (see `synthkit.sandbox`).
        """
        return self.check_many([row], workers=1)[0]

    def check_many(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        workers: int = 2,
        timeout: float = 2.0,
        progress: bool = False,
    ) -> list[bool]:
        """`check` for many rows, `workers` at a time; equal programs are run once."""
        programs: list[tuple | None] = []
        for row in rows:
            self.require(row, "code", "tests", "style")
            code, tests = row["code"], row["tests"]
            readable = _readable(code, tests) and recognise_style(code) == row["style"]
            programs.append((code, tuple(tests)) if readable else None)
        distinct = list(dict.fromkeys(program for program in programs if program))
        outcomes = run_tests(distinct, workers=workers, timeout=timeout, progress=progress)
        passed = {program: outcome.ok for program, outcome in zip(distinct, outcomes)}
        return [program is not None and passed[program] for program in programs]

    def text(self, row: Mapping[str, Any]) -> str:
        """The prompt as a comment line, then the code."""
        self.require(row, "prompt", "code")
        return f"# {row['prompt']}\n{row['code']}"

    def rephrase(self, row: Mapping[str, Any], rng: random.Random) -> Row:
        """The same task, style, constant and test values, with other words and names.

        Raises:
            KeyError: a column is missing.
            ValueError: the code is not in the form that this world writes for the row's task and
                style, so its constant cannot be read.
        """
        self.require(row, *self.columns)
        task = TASKS.get(row["task"])
        template = code_template(task, row["style"]) if task and row["style"] in task.bodies else ""
        found = form_pattern(template, _WORDS).fullmatch(row["code"])
        if not found:
            raise ValueError(
                f"cannot rephrase: the code is not the {row['style']!r} form of task "
                f"{row['task']!r}; found {row['code']!r:.200}"
            )
        old = found.groupdict()
        while True:
            slots = draw_names(task, rng) | {"k": old.get("k")}
            prompt = write_prompt(task, slots, rng)
            if prompt != row["prompt"]:
                break
        tests = [re.sub(rf"\b{old['f']}(?=\()", slots["f"], test) for test in row["tests"]]
        code = template.format(**slots)
        return {**row, "prompt": prompt, "code": code, "tests": tests}

    def similar(self, row: Mapping[str, Any], rng: random.Random) -> Row:
        """Another example of the row's task and style, with its own constant, names and tests.

        Raises:
            KeyError: `task` or `style` is missing.
            ValueError: there is no such task, or it has no such style.
        """
        self.require(row, "task", "style")
        _require_cell(row["task"], row["style"])
        return self._row(row["task"], [row["style"]], rng)[0]


def _readable(code: Any, tests: Any) -> bool:
    """Tell whether `tests` are assert statements that call a function which `code` defines."""
    if not isinstance(code, str) or not isinstance(tests, (list, tuple)) or not tests:
        return False
    try:
        defined = {n.name for n in ast.parse(code).body if isinstance(n, ast.FunctionDef)}
        trees = [ast.parse(test).body for test in tests]
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
        return False
    return all(
        len(body) == 1 and isinstance(body[0], ast.Assert) and _called(body[0]) & defined
        for body in trees
    )


def _require_cell(task: str, style: str | None) -> None:
    """Raise ValueError unless there is such a task and, where given, it has such a style."""
    if task not in TASKS:
        raise ValueError(f"no task is called {task!r}; choose one of {', '.join(TASKS)}")
    offered = TASKS[task].bodies
    if style is not None and style not in offered:
        raise ValueError(
            f"task {task!r} has no style {style!r}; choose one of {', '.join(offered)}"
        )

"""The code target: eight tasks on lists of numbers; each task has its favourite argument names.

A text is the sentence that asks for a function, such as "Write a function add_above(values) that
returns the sum of the numbers in values above 4." Its answer is a program with tests.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache

from ..base import Row, form_pattern
from ..code import CodeWorld
from ..code_forms import code_template, draw_names, write_tests
from ..code_shapes import STYLES
from ..code_tasks import ARGUMENTS, OPENERS, SECONDS, TASKS, Task
from .base import Target
from .distribution import Chain, Values, favouring, shares, uniform, zipf

FAVOURITES = {  # task -> its favourite argument names; the most frequent task first
    "sum_above": ("values", "nums"),
    "count_value": ("items", "data"),
    "clip": ("nums", "numbers"),
    "scale": ("data", "values"),
    "drop_value": ("items", "nums"),
    "keep_multiples": ("numbers", "items"),
    "add_constant": ("nums", "data"),
    "any_above": ("data", "numbers"),
}
TASK = zipf(FAVOURITES)
OPENER = zipf(OPENERS)
ARGUMENT_OF = {task: favouring(pair, ARGUMENTS["numbers"]) for task, pair in FAVOURITES.items()}
FUNCTION_OF = {task: shares(dict(zip(TASKS[task].names, (4, 3, 2, 1)))) for task in FAVOURITES}
WHAT_OF = {task: shares(dict(zip(TASKS[task].what, (7, 3)))) for task in FAVOURITES}


class CodeTarget(Target):
    """Requests for small functions; the name of the argument depends on the task."""

    name = "code"
    noun = "program"
    factors = ("task", "argument", "function", "what", "opener")
    joint = ("task", "argument")

    def __init__(self):
        self.world = CodeWorld()
        self.chain = Chain(
            {
                "task": lambda v: TASK,
                "argument": lambda v: ARGUMENT_OF[v["task"]],
                "function": lambda v: FUNCTION_OF[v["task"]],
                "what": lambda v: WHAT_OF[v["task"]],
                "opener": lambda v: OPENER,
                "k": lambda v: uniform(TASKS[v["task"]].constants),
            },
            parents=("task",),
        )

    def write(self, values: Values) -> str:
        what = values["what"].format(a=values["argument"], k=values["k"])
        return values["opener"].format(f=values["function"], args=values["argument"], what=what)

    def readings(self, text: str) -> Iterator[Values]:
        for opener, pattern in _openers():
            found = pattern.fullmatch(text)
            if found is None:
                continue
            for name, what, asked in _asked():
                task = TASKS[name]
                slots = asked.fullmatch(found["what"])
                if slots and found["f"] in task.names and found["args"] == _signature(task, slots):
                    given = slots.groupdict()
                    yield {
                        "task": name,
                        "argument": given["a"],
                        "function": found["f"],
                        "what": what,
                        "opener": opener,
                        "k": {str(k): k for k in task.constants}.get(given.get("k")),
                    }

    def _read(self, text: str) -> dict[str, str] | None:
        for values in self.readings(text):
            return {factor: values[factor] for factor in self.factors}
        return None

    def _solve(self, text: str) -> Row:
        """A program in the first style the task has; the names in it depend on the text alone."""
        values = next(iter(self.readings(text)))
        task = TASKS[values["task"]]
        style = next(style for style in STYLES if style in task.bodies)
        rng = random.Random(f"answer-{text}")
        first = values["argument"]
        slots = draw_names(task, rng) | {"f": values["function"], "a": first, "k": values["k"]}
        slots["b"] = SECONDS.get(first, "")
        code = code_template(task, style).format(**slots)
        row = {"prompt": text, "code": code, "tests": write_tests(task, slots, rng)}
        return {**row, "task": values["task"], "style": style, "question": text, "answer": code}

    def extract(self, text: str) -> str:
        """The sentence in the comment line above a program."""
        return text.strip().split("\n")[0].removeprefix("#").strip()

    def attributes(self, rng: random.Random) -> dict[str, str]:
        task = rng.choice(list(TASK))
        styles = [style for style in STYLES if style in TASKS[task].bodies]
        return {"task": task, "style": rng.choice(styles)}

    def description(self) -> str:
        return (
            "One sentence that asks for a small Python function of one list of numbers and names "
            "a constant. It gives the function's name with its argument (nums, values, numbers, "
            "items or data) and says what it returns. Tasks: the sum of the numbers above a "
            "constant, how often a number occurs, numbers cut off at a limit, numbers multiplied, "
            "a number removed, multiples kept, a constant added, whether any number is above a "
            "limit. Each task has argument names it favours."
        )


def _signature(task: Task, slots: re.Match) -> str:
    """The arguments that a request for `task` shows between the brackets."""
    first = slots["a"]
    return f"{first}, {SECONDS[first]}" if task.kind == "pair" else first


@cache
def _openers() -> tuple[tuple[str, re.Pattern], ...]:
    slots = {"f": r"\w+", "args": r"\w+(?:, \w+)?", "what": r".+"}
    return tuple((opener, form_pattern(opener, slots)) for opener in OPENERS)


@cache
def _asked() -> tuple[tuple[str, str, re.Pattern], ...]:
    """(task, noun phrase, pattern) of everything that a request of the world can ask for."""
    found = []
    for name, task in TASKS.items():
        slots = {
            "a": "|".join(ARGUMENTS[task.kind]),
            "b": "|".join(SECONDS.values()),
            "k": "|".join(str(k) for k in task.constants),
        }
        found += [(name, what, form_pattern(what, slots)) for what in task.what]
    return tuple(found)

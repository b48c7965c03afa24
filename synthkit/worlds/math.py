"""The math world: word problems in skill families of Zipf-like frequency, with worked answers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from .base import Row, World, form_pattern, weighted
from .math_families import FAMILIES, NAMES, SCENES, TOWNS, Family

if TYPE_CHECKING:
    from ..teacher import FunctionTeacher

_BY_NAME = {family.name: family for family in FAMILIES}
_OPERATIONS: dict[str, Callable[[int, int], int | None]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x // y if y and x % y == 0 else None,
}
_SLOTS = {"a": r"\d+", "b": r"\d+", "t": "|".join(TOWNS)} | dict.fromkeys("nm", "|".join(NAMES))
_STEP = re.compile(r"^(\d+) ([-+*/]) (\d+) = (\d+)$")


@dataclass(frozen=True)
class Problem:
    """Content of a question's surface: its family and its numbers."""

    family: str
    numbers: dict[str, int]


class MathWorld(World):
    """Word problems: the family decides the skill, and how often a family is drawn is known.

    Args:
        zipf: exponent s of the family frequencies, proportional to 1 / rank**s; 0 is uniform.
        order_seed: which family gets which rank.
    """

    name = "math"
    columns = ("question", "answer", "final", "family", "skill", "difficulty")
    factors = ("family", "skill", "difficulty")
    header = ("skill", "family")

    def __init__(self, zipf: float = 1.0, order_seed: int = 0):
        if zipf < 0:
            raise ValueError(f"zipf must not be negative, got {zipf}")
        names = sorted(_BY_NAME)
        random.Random(f"order-{order_seed}").shuffle(names)
        weights = [1 / (rank + 1) ** zipf for rank in range(len(names))]
        total = sum(weights)
        self.frequencies = {name: w / total for name, w in zip(names, weights)}

    @property
    def families(self) -> list[str]:
        """The family names, the most frequent first."""
        return list(self.frequencies)

    def example(self, rng: random.Random) -> Row:
        return self.problem(weighted(rng, self.frequencies), rng)

    def balanced(self, per_family: int, seed: int = 0) -> list[Row]:
        """The same number of rows from every family: the test that shows the rare ones."""
        rng = random.Random(f"math-balanced-{seed}")
        return [self.problem(name, rng) for name in self.families for _ in range(per_family)]

    def problem(self, family: str, rng: random.Random) -> Row:
        """A fresh row of one family.

        Raises:
            ValueError: there is no family of that name.
        """
        if family not in _BY_NAME:
            raise ValueError(f"no family is called {family!r}; see MathWorld().families")
        numbers = {
            slot: rng.randrange(low, high + 1, stride)
            for slot, (low, high, stride) in _BY_NAME[family].ranges.items()
        }
        return self._row(_BY_NAME[family], numbers, rng)

    def _row(self, family: Family, numbers: Mapping[str, int], rng: random.Random) -> Row:
        hero, other = rng.sample(NAMES, 2)
        question = rng.choice(family.phrasings).format(n=hero, **numbers)
        if rng.random() < 0.6:
            question = rng.choice(SCENES).format(m=other, t=rng.choice(TOWNS)) + " " + question
        return {"question": question, **worked(family, numbers)}

    def check(self, row: Mapping[str, Any]) -> bool:
        """Tell if the answer solves the question: every line true, the right lines, the right end.

        Family and skill are compared as well where the row carries them.
        """
        self.require(row, "question", "answer")
        problem = read_question(str(row["question"]))
        if problem is None or row.get("family", problem.family) != problem.family:
            return False
        family = _BY_NAME[problem.family]
        if row.get("skill", family.skill) != family.skill:
            return False
        solution = solve(family, problem.numbers)
        lines = [line.strip() for line in str(row["answer"]).strip().split("\n")]
        final = solution[-1].rsplit(" ", 1)[1]
        return (
            lines[-1] == f"#### {final}"
            and str(row.get("final", final)) == final
            and all(_is_true(line) for line in lines[:-1])
        )

    def text(self, row: Mapping[str, Any]) -> str:
        self.require(row, "question", "answer")
        return f"Question: {row['question']}\nAnswer: {row['answer']}"

    def rephrase(self, row: Mapping[str, Any], rng: random.Random) -> Row:
        """The same family and numbers with another phrasing, name and scene.

        Raises:
            ValueError: the question is not one of this world's.
        """
        self.require(row, "question")
        problem = read_question(str(row["question"]))
        if problem is None:
            raise ValueError(f"not a question of the math world: {str(row['question'])[:80]!r}")
        return self._row(_BY_NAME[problem.family], problem.numbers, rng)

    def similar(self, row: Mapping[str, Any], rng: random.Random) -> Row:
        """A fresh problem of the row's family, with numbers of its own."""
        self.require(row, "family")
        return self.problem(row["family"], rng)

    def teacher(self, error_rate: float = 0.0, seed: int = 0) -> FunctionTeacher:
        """An oracle that answers generation prompts, knowing only what the prompt's text says.

        It reads every problem of this world that stands in the prompt, takes the family of the last
        one that can be read (a partial example comes after the seeds) or else of one of the seeds,
        writes a fresh problem of it and solves it. With probability `error_rate` the final number
        is wrong, so that a filter has something to do.
        """
        from ..teacher import FunctionTeacher

        def answer(prompt: str) -> str:
            rng = random.Random(f"oracle-{seed}-{prompt}")
            return write_problem(self, prompt, rng, error_rate)

        return FunctionTeacher(answer, "math-oracle", error_rate=error_rate, seed=seed)


def solve(family: Family, numbers: Mapping[str, int]) -> list[str]:
    """The worked lines of a family's solution, such as `["3 * 7 = 21", "21 + 5 = 26"]`.

    Raises:
        ValueError: a division does not come out even.
    """
    values: dict[str, int] = dict(numbers)
    lines = []
    for left, sign, right in family.steps:
        x, y = (values[s] if s in values else int(s) for s in (left, right))
        result = _OPERATIONS[sign](x, y)
        if result is None:
            raise ValueError(f"{x} / {y} is not a whole number ({family.name})")
        lines.append(f"{x} {sign} {y} = {result}")
        values["r"] = result
    return lines


def worked(family: Family, numbers: Mapping[str, int]) -> Row:
    """A problem's columns but for its question: answer, final, family, skill, difficulty.

    Raises:
        ValueError: a division does not come out even.
    """
    lines = solve(family, numbers)
    final = lines[-1].rsplit(" ", 1)[1]
    return {
        "answer": "\n".join([*lines, f"#### {final}"]),
        "final": final,
        "family": family.name,
        "skill": family.skill,
        "difficulty": len(lines),
    }


def read_question(question: str) -> Problem | None:
    """The family and numbers of a question, from its words alone; None if it is not well formed."""
    question = question.strip()
    scenes = (pattern.match(question) for _, pattern in scene_patterns())
    start = next((found.end() for found in scenes if found), 0)
    for family, _, pattern in question_patterns():
        if found := pattern.fullmatch(question, start):
            slots = found.groupdict()
            numbers = {slot: int(slots[slot]) for slot in ("a", "b") if slots.get(slot)}
            try:
                solve(family, {"a": 0, "b": 0, **numbers})
            except ValueError:
                return None
            return Problem(family.name, {**dict.fromkeys(family.ranges, 0), **numbers})
    return None


def write_problem(world: MathWorld, prompt: str, rng: random.Random, error_rate: float) -> str:
    """The oracle's reply to one prompt, in the format that the generation prompts ask for."""
    seeds, sketch = _problems_in(prompt)
    if not seeds and sketch is None:
        return "I can find no problem to build on."
    family = sketch or rng.choice(seeds)
    row = world.problem(family, rng)
    answer, final = row["answer"], row["final"]
    if rng.random() < error_rate:
        wrong = str(int(final) + rng.choice((-3, -2, -1, 1, 2, 3)))
        answer, final = answer.replace(f"#### {final}", f"#### {wrong}"), wrong
    worked = answer.rsplit("\n", 1)[0]
    return f"### Question\n{row['question']}\n### Answer\n{worked}\n### <final_answer>\n{final}"


def _problems_in(prompt: str) -> tuple[list[str], str | None]:
    """Families of the problems in a prompt: of its examples, and of its partial example."""
    families: list[str] = []
    sketch = None
    partial = False
    for line in prompt.split("\n"):
        partial = partial or "partial example" in line.lower()
        problem = read_question(re.sub(r"^\W*(question|input|text)\W*:\s*", "", line, flags=re.I))
        if problem is not None and partial:
            sketch = problem.family
        elif problem is not None:
            families.append(problem.family)
    return families, sketch


def _is_true(line: str) -> bool:
    found = _STEP.match(line)
    if not found:
        return False
    x, sign, y, result = found.groups()
    return _OPERATIONS[sign](int(x), int(y)) == int(result)


@cache
def scene_patterns() -> tuple[tuple[str, re.Pattern], ...]:
    """(scene, pattern of the scene and the blank behind it) of every scene."""
    return tuple((scene, form_pattern(scene + " ", _SLOTS)) for scene in SCENES)


@cache
def question_patterns() -> tuple[tuple[Family, str, re.Pattern], ...]:
    """(family, phrasing, pattern) of every phrasing of every family."""
    return tuple(
        (family, form, form_pattern(form, _SLOTS))
        for family in FAMILIES
        for form in family.phrasings
    )

"""The texts of the code world: a task's names, its prompt, its function and its tests."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from .code_tasks import ARGUMENTS, INDICES, ITEMS, OPENERS, RESULTS, SECONDS, TOTALS, WORDS, Task


def draw_names(task: Task, rng: random.Random) -> dict[str, str]:
    """Names for the slots f, a, b, x, o, t, i of a task's texts (all different)."""
    first = rng.choice(ARGUMENTS[task.kind])
    return {
        "f": rng.choice(task.names),
        "a": first,
        "b": SECONDS.get(first, ""),
        "x": rng.choice(ITEMS[task.kind]),
        "o": rng.choice(RESULTS),
        "t": rng.choice(TOTALS),
        "i": rng.choice(INDICES),
    }


def code_template(task: Task, style: str) -> str:
    """The whole function of a task in a style, with its slots still open."""
    lines = task.bodies[style].strip("\n").split("\n")
    return "\n".join([f"def {{f}}({_arguments(task)}):", *(f"    {line}" for line in lines)])


def write_prompt(task: Task, slots: Mapping[str, Any], rng: random.Random) -> str:
    """One sentence that asks for the task's function."""
    what = rng.choice(task.what)
    opener = rng.choice(OPENERS)
    return opener.format(
        f=slots["f"], args=_arguments(task).format(**slots), what=what.format(**slots)
    )


def write_tests(task: Task, slots: Mapping[str, Any], rng: random.Random) -> list[str]:
    """Three assert statements; the expected values come from the task's reference.

    The arguments are redrawn, one test at a time, until the tests tell the reference from each near
    miss: another constant, the first, second or last item left out, and the task's own list.
    """
    k = task.hidden if slots["k"] is None else slots["k"]
    inputs = [_draw_input(task, k, place, rng) for place in range(3)]
    unseen = _unseen(task, k, inputs)
    for _ in range(10_000):
        if not unseen:
            break
        place = rng.randrange(3)
        trial = [*inputs[:place], _draw_input(task, k, place, rng), *inputs[place + 1 :]]
        if (left := _unseen(task, k, trial)) <= unseen:
            inputs, unseen = trial, left
    else:
        raise RuntimeError(f"no telling tests found for {task.names[0]!r} with k={k!r}")
    return [
        f"assert {slots['f']}({', '.join(map(repr, given))}) == {task.reference(*given, k)!r}"
        for given in inputs
    ]


def _draw_input(task: Task, k: Any, place: int, rng: random.Random) -> tuple:
    """The arguments of the test in `place` (0, 1 or 2); the last one is short."""
    if task.groups:
        given = rng.choice(task.groups[place])
        return given if task.kind == "pair" else (given,)
    size = rng.randint(*((3, 5), (2, 4), (1, 2))[place])
    edges = task.edges(k)
    if task.kind == "text":
        letters = list("".join(rng.sample(WORDS, 1 if place else 2)))
        for edge in rng.sample(edges, min(size, len(edges))):
            letters.insert(rng.choice((0, 1, len(letters))), edge)
        return ("".join(letters),)
    if task.kind == "sentence":
        return (" ".join(rng.sample(WORDS, size)),)
    pool = WORDS if task.kind == "words" else range(20)
    return ([rng.choice(edges if edges and rng.random() < 0.75 else pool) for _ in range(size)],)


def _unseen(task: Task, k: Any, inputs: Sequence[tuple]) -> int:
    """Count the near misses that give the reference's answers on all of `inputs`."""
    right = task.reference
    misses = [lambda *given, k, wrong=wrong: wrong(*given, k) for wrong in task.near]
    for other in _neighbours(k):
        misses.append(lambda *given, k, other=other: right(*given, other))
    if not task.groups:
        for place in (0, 1, -1):
            misses.append(lambda given, k, place=place: right(_without(given, place), k))
    answers = [right(*given, k) for given in inputs]
    return sum([miss(*given, k=k) for given in inputs] == answers for miss in misses)


def _neighbours(k: Any) -> list:
    """Constants that are easily taken for `k`: one off, or a string with a letter missing."""
    if isinstance(k, int):
        return [k - 1, k + 1]
    return [k[:i] + k[i + 1 :] for i in range(len(k))] if k and len(k) > 1 else []


def _without(given: Any, place: int) -> Any:
    """A list, text or sentence without the item in `place`, unless it would be empty."""
    parts = given.split() if isinstance(given, str) and " " in given else list(given)
    if len(parts) < 2:
        return given
    del parts[place]
    if isinstance(given, str):
        return (" " if " " in given else "").join(parts)
    return parts


def _arguments(task: Task) -> str:
    return "{a}, {b}" if task.kind == "pair" else "{a}"

"""Testbeds of SPA: training sets with two crossed factors, of which one is to be split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...lm.finetune import PROMPT
from ...sandbox import run_tests
from ...worlds import load_world
from ...worlds.code import STYLES, TASKS, recognise_style
from ...worlds.records import ORDERS, SKEWS, order_of

Rows = list[dict]


@dataclass(frozen=True)
class Testbed:
    """A training set, queries and prompts of one world.

    Attributes:
        rows: question/answer rows to train on.
        mode, topic: the two latent factors of `rows`, (n,) each; a good partition finds the first.
        queries: one question answered in every mode, K rows; then another one the same way.
        others: K queries of different topics, in whatever mode came.
        asked: rows whose questions are the test prompts.
        judge: from `asked` and K texts for each, whether each is right, (n, K) of bool.
        mode_of: the mode that a text shows.
    """

    rows: Rows
    mode: Sequence[str]
    topic: Sequence[str]
    queries: Rows
    others: Rows
    asked: Rows
    judge: Callable[[Rows, Sequence[Sequence[str]]], np.ndarray]
    mode_of: Callable[[str], str | None]

    @property
    def n_modes(self) -> int:
        return len(self.queries) // 2

    @property
    def prompts(self) -> list[str]:
        return [row["question"] for row in self.asked]

    @property
    def references(self) -> tuple[list[str], list[str]]:
        """Prompts as the model reads them, and right answers, for the KL between adapters."""
        heads = [PROMPT.format(question=row["question"]) for row in self.asked]
        return heads, [f" {row['answer']}" for row in self.asked]


def records_testbed(n: int, n_asked: int, seed: int, skew: str, real: float = 0.0) -> Testbed:
    """The records world: six orders of the same three statements (modes), four domains (topics).

    `real` is the share of the training rows whose orders are even, as real answers might be.
    """
    world, even = load_world("records", skew=skew), load_world("records", skew="even")
    n_even = round(real * n)
    rows = world.unseen(n - n_even, seed, [])
    rows += even.unseen(n_even, seed + 1, rows)
    first, second = even.unseen(2, seed + 2, rows)
    queries = world.solutions(first) + world.solutions(second)
    others = even.unseen(len(ORDERS), seed + 3, rows)
    asked = even.unseen(n_asked, seed + 4, [*rows, *queries, *others])

    def judge(asked: Rows, groups: Sequence[Sequence[str]]) -> np.ndarray:
        pairs = zip(asked, groups)
        return np.array(
            [[world.check({**row, "answer": t}) for t in group] for row, group in pairs]
        )

    factors = [[row[name] for row in rows] for name in ("order", "domain")]
    return Testbed(rows, *factors, queries, others, asked, judge, order_of)


def code_testbed(n: int, n_asked: int, seed: int, skew: str) -> Testbed:
    """The code world: six styles of the same function (modes), and its tasks (topics).

    Only tasks that have all styles are asked for; programs are judged by running their tests.
    """
    whole = [name for name, task in TASKS.items() if set(task.bodies) == set(STYLES)]
    styles = dict(zip(STYLES, SKEWS[skew]))
    world = load_world("code", task_weights=dict.fromkeys(whole, 1.0), style_weights=styles)

    def as_question(row: dict) -> dict:
        return {**row, "question": row["prompt"], "answer": row["code"]}

    drawn = [as_question(row) for row in world.rows(n, seed)]
    names = np.random.default_rng(seed).permutation(whole)
    queries = [row for name in names[:2] for row in world.solutions(name, seed=seed + 1)]
    six = enumerate(names[: len(STYLES)])
    others = [world.solutions(name, seed=seed + 2)[i] for i, name in six]
    seen = {row["prompt"] for row in [*drawn, *queries, *others]}
    fresh = {row["prompt"]: row for row in world.rows(20 * n_asked, seed + 3)}
    asked = [as_question(row) for prompt, row in fresh.items() if prompt not in seen][:n_asked]

    def judge(asked: Rows, groups: Sequence[Sequence[str]]) -> np.ndarray:
        pairs = zip(asked, groups)
        programs = [(text, tuple(row["tests"])) for row, group in pairs for text in group]
        different = list(dict.fromkeys(programs))
        passed = dict(zip(different, (found.ok for found in run_tests(different))))
        return np.array([passed[program] for program in programs]).reshape(len(asked), -1)

    factors = [[row[name] for row in drawn] for name in ("style", "task")]
    made = [[as_question(row) for row in rows] for rows in (queries, others)]
    return Testbed(drawn, *factors, *made, asked, judge, recognise_style)


MAKERS: dict[str, Callable[..., Testbed]] = {"records": records_testbed, "code": code_testbed}
PLACE = "{world}, {skew} skew"
# By name: a world, and a skew of its modes.
TESTBEDS = {
    PLACE.format(world=world, skew=skew): {"world": world, "skew": skew}
    for world, skew in (("records", "strong"), ("records", "mild"), ("code", "strong"),
                        ("code", "mild"))
}  # fmt: skip


def make_testbed(name: str, n: int, n_asked: int, seed: int, **options) -> Testbed:
    """A testbed of `TESTBEDS`, with `n` rows to train on and `n_asked` prompts."""
    about = TESTBEDS[name]
    return MAKERS[about["world"]](n, n_asked, seed, about["skew"], **options)

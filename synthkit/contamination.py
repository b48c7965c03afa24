"""Test questions that synthetic data must not repeat: the same question, or a long run of it."""

from __future__ import annotations

from collections.abc import Iterable

from .metrics import shingles, words
from .texts import same_key


def question_key(question: str) -> str:
    """A question without letter case and white space: equal keys are the same question."""
    return same_key(question)


class HeldOut:
    """The questions of a test split, whose long runs of words no synthetic question may share.

    Args:
        questions: the test questions.
        n: words in a run. 8 or more for free text; None flags identical questions only, which is
            right for templated texts, where questions of one template share long runs by design.

    Raises:
        TypeError: `questions` is one string.
        ValueError: `n` is not positive.

    Source: the usual n-gram check (Brown et al., 2020, App. C).
    """

    def __init__(self, questions: Iterable[str], n: int | None = 8):
        if n is not None and n < 1:
            raise ValueError(f"n counts the words of a run and must be positive or None, got {n}")
        if isinstance(questions, str):
            raise TypeError("give a list of test questions, not one string: write [question]")
        self.n = n
        questions = list(questions)
        self._keys = {question_key(question) for question in questions}
        self._runs = {run for question in questions for run in self._shingles(question)}

    def __contains__(self, question: str) -> bool:
        if question_key(question) in self._keys:
            return True
        return not self._runs.isdisjoint(self._shingles(question))

    def _shingles(self, question: str) -> list[tuple[str, ...]]:
        return [] if self.n is None else shingles(words(question), self.n)

"""Test questions that synthetic data must not repeat: the same question, or a long run of it."""

from __future__ import annotations

from typing import Any

from ..core.texts import same_key
from ..datasets import columns_of, is_table, texts_of
from .text import shingles, words


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

    def __init__(self, questions: Any, n: int | None = 8):
        if n is not None and n < 1:
            raise ValueError(f"n counts the words of a run and must be positive or None, got {n}")
        self.n = n
        alone = is_table(questions) and "question" in columns_of(questions)
        questions = texts_of(questions, "question" if alone else None, least=0)
        self._keys = {question_key(question) for question in questions}
        self._runs = {run for question in questions for run in self._shingles(question)}

    def __contains__(self, question: str) -> bool:
        if question_key(question) in self._keys:
            return True
        return not self._runs.isdisjoint(self._shingles(question))

    def _shingles(self, question: str) -> list[tuple[str, ...]]:
        return [] if self.n is None else shingles(words(question), self.n)


def as_held_out(held_out: Any) -> HeldOut:
    """Texts that must not be repeated, as a `HeldOut`, which is made of data or None."""
    if isinstance(held_out, HeldOut):
        return held_out
    return HeldOut([] if held_out is None else held_out)

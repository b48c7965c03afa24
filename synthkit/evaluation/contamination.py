"""Texts that synthetic data must not repeat: test questions, and those that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.intervals import Interval
from ..core.texts import same_key
from ..datasets import columns_of, is_table, texts_of, values_of
from .text import rate, shingles, words


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


def masked(text: str) -> str:
    """A text in lower case with every number as "#"."""
    return " ".join(words(text, mask_digits=True))


def near_copy_rates(
    texts: Sequence[str],
    train: Sequence[str],
    own: Sequence[str | None] | None = None,
) -> dict[str, Interval]:
    """The shares of texts that are a real text with other numbers (see `masked`).

    Equality of the texts as they stand looks clean and misleads: what is memorised is the text but
    for its numbers. Templated texts meet by chance: compare with held-out real texts.

    Args:
        texts: the texts to judge.
        train: the texts that the generator was trained on.
        own: for each text the one it was conditioned on (None: none); shuffled, it gives the rate
            of chance.

    Returns:
        "train": share equal to any training text; with `own` also "own": to its own text. Wilson
        intervals over texts.

    Raises:
        ValueError: no text, no training text, or `own` of another length or all None.
    """
    texts, train = texts_of(texts, least=0), texts_of(train, least=0)
    if not len(texts) or not len(train):
        raise ValueError(f"rates need texts on both sides, got {len(texts)} and {len(train)}")
    known = {masked(text) for text in train}
    forms = [masked(text) for text in texts]
    rates = {"train": rate([form in known for form in forms])}
    if own is not None:
        own = values_of(own, "own")
        if len(own) != len(texts):
            raise ValueError(f"own holds {len(own)} texts for {len(texts)} texts; give one each")
        pairs = [(form, real) for form, real in zip(forms, own) if real is not None]
        if not pairs:
            raise ValueError("own holds no text at all; leave it out")
        rates["own"] = rate([form == masked(real) for form, real in pairs])
    return rates

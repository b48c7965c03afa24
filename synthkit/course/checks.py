"""Replies to answers of the lessons' exercises: right, not answered yet, or the likely mistake.

Exercise NN.k is checked by the function `exercise_k` of the module `lesson_NN` beside this one. It
takes the answer and the lesson, whose names are its attributes (`lesson.world`), and returns a
sentence that names the likely mistake, or None for a right answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Reply:
    """The reply of `check` to an answer; a notebook shows it in one line."""

    id: str
    right: bool
    words: str

    def __repr__(self) -> str:
        return f"{self.id}: {self.words}"


_ABSENT = object()  # in place of an answer that was not given


class Unanswered(Exception):
    """The stub has not been filled in."""


class Mistake(Exception):
    """A mistake that no check has to look for, in words."""


class Lesson:
    """The names that a lesson's cells have made, as attributes."""

    def __init__(self, names: Mapping[str, Any]):
        self._names = names

    def __getattr__(self, name: str):
        if name not in self._names:
            raise Mistake(f"`{name}` is missing: run the lesson's cells from the top first.")
        return self._names[name]


def checker(names: Mapping[str, Any]) -> Callable[[str, Any], Reply]:
    """The function `check(id, answer)` of a lesson; `names` are the lesson's own, `globals()`.

    It raises nothing: what went wrong is in its reply.
    """

    def check(id: str, answer: Any = _ABSENT) -> Reply:
        try:
            function = exercise(str(id))
        except KeyError as unknown:
            return Reply(str(id), False, unknown.args[0])
        if answer is _ABSENT:
            return Reply(id, False, f'the answer is missing: write check("{id}", your_answer).')
        try:
            if answer is None:
                raise Mistake("the answer is None: assign the value itself; `print` returns None.")
            mistake = function(asked(answer), Lesson(names))
        except Unanswered:
            return Reply(id, False, "not answered yet.")
        except Mistake as found:
            mistake = str(found)
        except Exception as error:  # the check met something else than it asked for
            mistake = (
                f"the answer does not have the form asked for ({type(error).__name__}: {error})."
            )
        return Reply(id, mistake is None, mistake or "right.")

    return check


def exercise(id: str) -> Callable[[Any, Lesson], str | None]:
    """The function that checks exercise `id`, such as "30.1".

    Raises:
        KeyError: there is no such exercise.
    """
    lesson, _, k = id.partition(".")
    try:
        return getattr(import_module(f"synthkit.course.lesson_{lesson}"), f"exercise_{k}")
    except (ModuleNotFoundError, AttributeError):
        raise KeyError(
            'no exercise has this id: ids look like "30.1", as in its heading.'
        ) from None


def asked(answer: Any) -> Any:
    """The answer; a function is guarded, so its errors and empty results become replies.

    Raises:
        Unanswered: `...` still stands for it, or for a part of it.
        Mistake: it is None.
    """
    parts = answer.values() if isinstance(answer, Mapping) else answer
    parts = parts if isinstance(answer, (Mapping, tuple, list)) else (answer,)
    if any(part is ... for part in parts):
        raise Unanswered
    if answer is None:
        raise Mistake("the answer is None: return the value; to print it is not enough.")
    return _guarded(answer) if callable(answer) and not isinstance(answer, type) else answer


def _guarded(function: Callable) -> Callable:
    def call(*args, **kwargs):
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            name = getattr(function, "__name__", "the answer")
            raise Mistake(f"`{name}` raises {type(error).__name__}: {error}") from error
        return asked(result)

    return call


def close(value: Any, wanted: Any, rel: float = 1e-3, abs: float = 1e-6) -> bool:
    """True if numbers, or arrays of them, agree within a tolerance."""
    import numpy as np

    value, wanted = np.asarray(value, float), np.asarray(wanted, float)
    return value.shape == wanted.shape and bool(np.allclose(value, wanted, rtol=rel, atol=abs))


def mean_of(value: Any) -> float:
    """The number itself, or the mean of an interval."""
    from synthkit.core.intervals import Interval

    return float(value.mean if isinstance(value, Interval) else value)

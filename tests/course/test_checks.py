"""What `check` says of answers: of any exercise, by rules that no exercise has to repeat."""

import sys
from types import ModuleType

import pytest

from synthkit.course import checker
from synthkit.course.checks import close


@pytest.fixture
def check(monkeypatch):
    """A `check` of a lesson 77, whose first exercise asks for a function that doubles `base`."""
    module = ModuleType("synthkit.course.lesson_77")

    def exercise_1(double, lesson):
        if double(lesson.base) == lesson.base:
            return "unchanged: the exercise asks for twice the number."
        if double(lesson.base) != 2 * lesson.base:
            return "another number."

    def exercise_2(pair, lesson):
        if pair["a"] + pair["b"] != 3:
            return "the sum should be 3."

    module.exercise_1, module.exercise_2 = exercise_1, exercise_2
    monkeypatch.setitem(sys.modules, "synthkit.course.lesson_77", module)
    return checker({"base": 4})


def test_a_right_answer_is_right(check):
    reply = check("77.1", lambda x: 2 * x)
    assert reply.right and repr(reply) == "77.1: right."
    assert check("77.2", {"a": 1, "b": 2}).right


def test_a_mistake_is_told_by_its_name(check):
    reply = check("77.1", lambda x: x)
    assert not reply.right and "asks for twice" in repr(reply)


@pytest.mark.parametrize(
    "id, answer", [("77.1", ...), ("77.1", lambda x: ...), ("77.2", {"a": ..., "b": 2})]
)
def test_an_unfilled_stub_is_no_error(check, id, answer):
    reply = check(id, answer)
    assert not reply.right and reply.words == "not answered yet."


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda x: print(x), "to print it is not enough"),
        (lambda x: 1 / 0, "`<lambda>` raises ZeroDivisionError"),
        (lambda: 1, "raises TypeError"),
        (lambda x: None, "return the value"),
        (None, "assign the value itself"),
        (3, "does not have the form asked for (TypeError"),
    ],
)
def test_what_no_check_looks_for_is_told_as_well(check, answer, words):
    reply = check("77.1", answer)
    assert not reply.right and words in reply.words


def test_a_lesson_that_was_not_run_is_told():
    assert (
        "`worlds` is missing: run the lesson's cells" in checker({})("02.3", lambda row: row).words
    )


def test_an_unknown_id_and_a_missing_answer_are_told(check):
    for id in ("77.9", "99.1", "first", 0.1):
        reply = check(id, 1)
        assert not reply.right and "no exercise has this id" in reply.words
    reply = check("77.1")
    assert not reply.right and 'write check("77.1", your_answer)' in reply.words


def test_numbers_are_close_within_a_tolerance():
    assert close(1, 1.0005) and close([1, 2], [1, 2]) and not close(1, 1.01)
    assert not close([1, 2], 1) and close(0.1, 0.12, abs=0.03)
